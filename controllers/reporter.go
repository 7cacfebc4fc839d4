package controllers

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/report"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// saidKey is where a context holds what the next change is told with.
type saidKey struct{}

// after has the next change told with the call to WeChat that it came of.
func after(ctx context.Context, operation wechatpay.Operation, err error) context.Context {
	outcome := "Succeeded"
	if err != nil {
		outcome = string(wechatpay.OutcomeOf(err))
	}
	return saying(ctx, "operation", string(operation), "outcome", outcome)
}

// because has the next change told with the call to WeChat that did not work.
func because(ctx context.Context, err error) context.Context {
	if e, ok := errors.AsType[*wechatpay.Error](err); ok {
		return after(ctx, e.Operation, err)
	}
	return ctx
}

func saying(ctx context.Context, values ...any) context.Context {
	said, _ := ctx.Value(saidKey{}).([]any)
	return context.WithValue(ctx, saidKey{}, append(said[:len(said):len(said)], values...))
}

// log is for lines about what became of an object. They name it by keys of their own, so they do without those that
// controller-runtime adds to the Logger in the context.
func (b *Base) log(ctx context.Context) logr.Logger {
	said, _ := ctx.Value(saidKey{}).([]any)
	log := b.Log.WithValues(said...)
	if id := controller.ReconcileIDFromContext(ctx); id != "" {
		log = log.WithValues("reconcileID", id)
	}
	return log
}

// reporter makes known what became of an object.
func (b *Base) reporter(ctx context.Context) report.Reporter {
	return report.Reporter{Recorder: b.Recorder, Log: b.log(ctx), By: metrics.ByQuery}
}
