package main

import (
	"context"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// withdrawWithin is how long it is tried to close an Order for which there are no pieces.
const withdrawWithin = 30 * time.Second

// withdraw closes an Order for which there are no pieces. No request waits for it, so none can break it off by going away. Nobody is
// told how to pay the Order: if it can't be closed now, the next change of it leads here again, and at last it expires.
func (s *storefront) withdraw(ctx context.Context, order *v1alpha1.Order) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawWithin)
	defer cancel()
	var problem error
	pauses := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 20, Cap: 5 * time.Second}
	err := wait.ExponentialBackoffWithContext(ctx, pauses, func(ctx context.Context) (bool, error) {
		problem = s.patch(ctx, order, map[string]any{
			"metadata": map[string]any{"annotations": map[string]string{annotationWithdrawn: "SoldOut"}},
			"spec":     map[string]any{"desiredState": v1alpha1.DesiredStateClosed},
		})
		return problem == nil || apierrors.IsNotFound(problem), nil
	})
	if err != nil {
		slog.Error("an order for which nothing is left can't be closed", "order", order.Name, "error", problem)
	}
}
