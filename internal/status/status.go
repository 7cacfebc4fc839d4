// Package status writes the status of objects. Reconcilers and callbacks write all facts about
// payments and refunds through it, with the resourceVersion that they were derived from, so that
// nothing newer is overwritten.
package status

import (
	"context"
	"errors"
	"reflect"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/report"
)

// ErrReplaced is returned if the object was deleted, or deleted and recreated, in the meantime.
// What was to be written can be queried again at WeChat.
var ErrReplaced = errors.New("the object is gone, or another one has its name")

// Writer writes statuses.
type Writer struct {
	// Client writes to the API server.
	Client client.StatusClient
	// APIReader reads from the API server, never from a cache.
	APIReader client.Reader
	// Attempts is how often a conflict is resolved at once; after that its error is returned.
	Attempts int
	// Log gets a line for each change of state that was written.
	Log logr.Logger
	// Wrote is called with the result of each write, and returns the error to continue with. Nil
	// leaves the error unchanged.
	Wrote func(object client.Object, err error) error
}

// Update applies a change to the status of an object and writes it if it changed. On a conflict it
// reads the newer object and applies the change to that, so the change must depend only on the
// object and on a fact. An error of the change ends the update, and is returned.
func Update[T client.Object](ctx context.Context, w Writer, object T, change func(T) error) (written bool, err error) {
	for attempt := 0; ; attempt++ {
		before := object.DeepCopyObject().(T)
		if err := change(object); err != nil {
			return false, err
		}
		if equality.Semantic.DeepEqual(before, object) {
			return false, nil
		}
		err := w.Client.Status().Update(ctx, object)
		if w.Wrote != nil {
			err = w.Wrote(object, err)
		}
		if err == nil {
			report.StatusChanged(w.Log, before, object)
			return true, nil
		}
		if !apierrors.IsConflict(err) || attempt >= w.Attempts {
			return false, goneIsReplaced(err)
		}
		if err := w.readAgain(ctx, object); err != nil {
			return false, err
		}
	}
}

// readAgain reads the current object from the API server. It reads into an empty one: a decoder
// does not touch fields that the answer does not have, and a change that was not stored would look
// stored.
func (w Writer) readAgain(ctx context.Context, object client.Object) error {
	newer := reflect.New(reflect.TypeOf(object).Elem()).Interface().(client.Object)
	if err := w.APIReader.Get(ctx, client.ObjectKeyFromObject(object), newer); err != nil {
		return goneIsReplaced(err)
	}
	if newer.GetUID() != object.GetUID() {
		return ErrReplaced
	}
	reflect.ValueOf(object).Elem().Set(reflect.ValueOf(newer).Elem())
	return nil
}

func goneIsReplaced(err error) error {
	if apierrors.IsNotFound(err) {
		return ErrReplaced
	}
	return err
}
