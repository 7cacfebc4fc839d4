package controllers

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/report"
)

// errReplaced: the object was deleted, or deleted and created again, while WeChat was asked. What WeChat said is found
// again by asking.
var errReplaced = errors.New("the object is gone")

// recordDeadline bounds the writing of what WeChat said. It does not end with the process's context: at a shutdown the
// answer that has just come is still written.
const recordDeadline = 15 * time.Second

// recordAttempts bounds how often a conflict is resolved at once; more of them means that the next reconcile shall look.
const recordAttempts = 5

// statusOf returns a pointer to the status of a kind, to compare before and after.
type statusOf[T client.Object] func(T) any

// record applies a change to the status of an object and writes it, when it is a change. The change is a pure function of
// the object and a fact, so at a conflict it is applied to the newer object instead. A change of state is logged once it is
// written.
func record[T client.Object](ctx context.Context, b *Base, object T, status statusOf[T], change func(T)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordDeadline)
	defer cancel()
	uid := object.GetUID()
	for attempt := 0; ; attempt++ {
		before := object.DeepCopyObject().(T)
		change(object)
		if equality.Semantic.DeepEqual(status(before), status(object)) {
			return nil
		}
		err := b.wrote(ctx, object, metrics.WriteStatus, b.Client.Status().Update(ctx, object))
		if err == nil {
			report.StatusChanged(b.log(ctx), before, object)
			return nil
		}
		if !apierrors.IsConflict(err) || attempt >= recordAttempts {
			return goneIsReplaced(err)
		}
		if err := b.APIReader.Get(ctx, types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}, object); err != nil {
			return goneIsReplaced(err)
		}
		if object.GetUID() != uid {
			return errReplaced
		}
	}
}

func goneIsReplaced(err error) error {
	if apierrors.IsNotFound(err) {
		return errReplaced
	}
	return err
}
