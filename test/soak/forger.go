package main

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

const approvedPatch = `{"spec":{"approval":"Approved"}}`

// forgerPatience is how long a shop keeps trying a forbidden call without getting a response.
const forgerPatience = 20 * time.Second

// approveAsTheShop tries an approval as the shop. RBAC permits the shop to patch its Refunds, so
// only the policy refuses it.
func (l *life) approveAsTheShop(ctx context.Context, refund *v1alpha1.Refund, number judge.Number) {
	ctx, cancel := context.WithTimeout(ctx, forgerPatience)
	defer cancel()
	l.try(ctx, func() error {
		err := l.patch(ctx, l.shop, refund, approvedPatch)
		switch {
		case err == nil:
			l.memory.letThrough(number)
		case apierrors.IsForbidden(err):
			l.memory.count("approvals by the shop itself, refused")
		case !apierrors.IsNotFound(err):
			return err
		}
		return nil
	})
}
