package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// addFinalizer adds the finalizer, so that the object remains until what is about to be started at WeChat
// has ended.
func (b *Base) addFinalizer(ctx context.Context, object client.Object) error {
	if hasFinalizer(object) {
		return nil
	}
	patch := client.MergeFromWithOptions(object.DeepCopyObject().(client.Object), client.MergeFromWithOptimisticLock{})
	controllerutil.AddFinalizer(object, v1alpha1.Finalizer)
	err := b.Client.Patch(ctx, object, patch)
	if err != nil {
		controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) // it was not added
	}
	return b.wrote(ctx, object, metrics.WriteHold, err)
}

// removeFinalizer removes the finalizer.
func (b *Base) removeFinalizer(ctx context.Context, object client.Object) error {
	patch := client.MergeFromWithOptions(object.DeepCopyObject().(client.Object), client.MergeFromWithOptimisticLock{})
	if !controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) {
		return nil
	}
	err := b.Client.Patch(ctx, object, patch)
	if err != nil {
		controllerutil.AddFinalizer(object, v1alpha1.Finalizer) // it was not removed
	}
	return client.IgnoreNotFound(b.wrote(ctx, object, metrics.WriteRelease, err))
}

func hasFinalizer(object client.Object) bool {
	return controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
}

func isDeleted(object client.Object) bool { return object.GetDeletionTimestamp() != nil }
