package events

import (
	"context"
	"fmt"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Follow registers event handlers with the cache. In namespaces without EventSinks the handlers return at once.
func (d *Dispatcher) Follow(ctx context.Context, informers cache.Informers) error {
	for _, kind := range []client.Object{&v1alpha1.Order{}, &v1alpha1.Refund{}, &v1alpha1.Shipment{}, &v1alpha1.Statement{}} {
		informer, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("following %T: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { d.Changed(nil, object.(client.Object)) },
			UpdateFunc: func(before, now any) { d.Changed(before.(client.Object), now.(client.Object)) },
			DeleteFunc: func(last any) {
				if missed, ok := last.(toolscache.DeletedFinalStateUnknown); ok {
					last = missed.Obj
				}
				if object, ok := last.(client.Object); ok {
					d.Deleted(object)
				}
			},
		}); err != nil {
			return fmt.Errorf("following %T: %w", kind, err)
		}
	}
	return nil
}

// Changed offers an object that is new or has changed to its sinks. before is its previous version; nil if unknown.
func (d *Dispatcher) Changed(before, now client.Object) {
	for _, s := range d.sinksOf(now.GetNamespace()) {
		s.offer(before, now, d.Clock.Now())
		d.requestStatusIfStuck(s)
	}
}

// requestStatusIfStuck requests a status write if events wait for a sink that does not work.
func (d *Dispatcher) requestStatusIfStuck(s *sink) {
	s.mutex.Lock()
	stuck := s.settings == nil || s.queue.failures > 0
	pending := s.queue.pending > 0
	s.mutex.Unlock()
	if stuck && pending {
		d.requestStatus(s)
	}
}

// Deleted records that an object was deleted. It gets the object's last version.
func (d *Dispatcher) Deleted(object client.Object) {
	for _, s := range d.sinksOf(object.GetNamespace()) {
		s.deleted(object, d.Clock.Now())
	}
	d.setWaiting(object.GetUID(), false)
}
