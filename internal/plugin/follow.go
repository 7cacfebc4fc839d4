package plugin

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watchAgain is the pause before a watch that the API server closed is opened again.
const watchAgain = time.Second

// follow calls seen with the current object and after each change, until it returns true or an error. A watch that ends
// is opened again; changes in between are in the object that the next watch begins with.
func follow[T client.Object](ctx context.Context, p *plugin, object T, list client.ObjectList, kind string, seen func(T) (bool,
	error)) error {
	key := client.ObjectKeyFromObject(object)
	for {
		if err := p.client.Get(ctx, key, object); err != nil {
			return p.notFound(err, kind, key.Namespace, key.Name)
		}
		if done, err := seen(object); done || err != nil {
			return err
		}
		done, err := followOnce(ctx, p, object, list, seen)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return p.explain(ctx.Err())
		case <-time.After(watchAgain):
		}
	}
}

// followOnce follows one watch, which begins with the current object.
func followOnce[T client.Object](ctx context.Context, p *plugin, object T, list client.ObjectList, seen func(T) (bool,
	error)) (bool, error) {
	changes, err := p.client.Watch(ctx, list, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"metadata.name": object.GetName()})
	if err != nil {
		if ctx.Err() != nil || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return false, p.explain(err)
		}
		return false, nil
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, p.explain(ctx.Err())
		case change, open := <-changes.ResultChan():
			if !open || change.Type == watch.Error || change.Type == watch.Deleted {
				return false, nil
			}
			now, fits := change.Object.(T)
			if !fits {
				continue
			}
			if done, err := seen(now); done || err != nil {
				return done, err
			}
		}
	}
}
