package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// queueOfRequests is what a watch adds requests to.
type queueOfRequests = workqueue.TypedRateLimitingInterface[reconcile.Request]

// notifications is a source of requests: listen is given a function that starts the reconcile of an object.
func notifications(listen func(changed func(types.NamespacedName))) source.Func {
	return func(_ context.Context, queue queueOfRequests) error {
		listen(func(object types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: object}) })
		return nil
	}
}
