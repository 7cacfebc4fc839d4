package manager

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// addProbes answers the kubelet: alive while the process serves at all, and ready once its caches are in sync, which the
// callback server waits for as well.
func (o *Operator) addProbes() error {
	if err := o.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return err
	}
	if o.Callbacks != nil {
		return o.AddReadyzCheck("callbacks", o.Callbacks.Ready)
	}
	synced := &syncedCaches{}
	if err := o.Add(synced); err != nil {
		return err
	}
	return o.AddReadyzCheck("caches", synced.ready)
}

// syncedCaches is a Runnable that the manager starts after the caches, whether it leads or not.
type syncedCaches struct{ atomic.Bool }

// NeedLeaderElection is false: a replica that stands by is ready to lead.
func (s *syncedCaches) NeedLeaderElection() bool { return false }

// Start notes that it was started.
func (s *syncedCaches) Start(ctx context.Context) error {
	s.Store(true)
	<-ctx.Done()
	return nil
}

func (s *syncedCaches) ready(*http.Request) error {
	if !s.Load() {
		return errors.New("the caches are not in sync yet")
	}
	return nil
}
