package main

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// watches are the two watches that all requests share: Orders of storefronts, and Refunds.
type watches struct {
	informers     cache.Cache
	registrations []toolscache.ResourceEventHandlerRegistration
}

// watchInto has the watches write into a book. They begin when informers is started.
func watchInto(ctx context.Context, b *book, config *rest.Config, scheme *runtime.Scheme, namespace string) (*watches, error) {
	ours, err := labels.NewRequirement(labelPayer, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	w := &watches{}
	w.informers, err = cache.New(config, cache.Options{
		Scheme:            scheme,
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		DefaultTransform:  cache.TransformStripManagedFields(),
		ByObject:          map[client.Object]cache.ByObject{&v1alpha1.Order{}: {Label: labels.NewSelector().Add(*ours)}},
	})
	if err != nil {
		return nil, err
	}
	return w, errors.Join(
		watchKind(ctx, w, &v1alpha1.Order{}, b.putOrder, b.removeOrder),
		watchKind(ctx, w, &v1alpha1.Refund{}, func(refund *v1alpha1.Refund, _ bool) { b.putRefund(refund) }, b.removeRefund),
	)
}

// watchKind calls put and remove for what the watch of a kind shows.
func watchKind[T client.Object](ctx context.Context, w *watches, kind T, put func(object T, initial bool), remove func(T)) error {
	informer, err := w.informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(object any, initial bool) { put(object.(T), initial) },
		UpdateFunc: func(_, object any) { put(object.(T), false) },
		DeleteFunc: func(object any) {
			if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
				object = last.Obj // it was deleted while the watch was down
			}
			remove(object.(T))
		},
	})
	w.registrations = append(w.registrations, registration)
	return err
}

// synced reports whether the book has everything that was there at the start.
func (w *watches) synced() bool {
	for _, registration := range w.registrations {
		if !registration.HasSynced() {
			return false
		}
	}
	return true
}
