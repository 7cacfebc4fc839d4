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

// logValuesKey is the context key of the log values for the next change.
type logValuesKey struct{}

// withCallOutcome adds the call to WeChat that led to the next change to the log values.
func withCallOutcome(ctx context.Context, operation wechatpay.Operation, err error) context.Context {
	outcome := "Succeeded"
	if err != nil {
		outcome = string(wechatpay.OutcomeOf(err))
	}
	return withLogValues(ctx, "operation", string(operation), "outcome", outcome)
}

// withCallError adds the failed call to WeChat to the log values.
func withCallError(ctx context.Context, err error) context.Context {
	if e, ok := errors.AsType[*wechatpay.Error](err); ok {
		return withCallOutcome(ctx, e.Operation, err)
	}
	return ctx
}

func withLogValues(ctx context.Context, values ...any) context.Context {
	said, _ := ctx.Value(logValuesKey{}).([]any)
	return context.WithValue(ctx, logValuesKey{}, append(said[:len(said):len(said)], values...))
}

// log returns the logger for changes of objects. Its lines name the object by keys of their own, so
// the keys that controller-runtime adds to the context's Logger are not used.
func (b *Base) log(ctx context.Context) logr.Logger {
	said, _ := ctx.Value(logValuesKey{}).([]any)
	log := b.Log.WithValues(said...)
	if id := controller.ReconcileIDFromContext(ctx); id != "" {
		log = log.WithValues("reconcileID", id)
	}
	return log
}

// reporter reports changes of an object.
func (b *Base) reporter(ctx context.Context) report.Reporter {
	return report.Reporter{Recorder: b.Recorder, Log: b.log(ctx), By: metrics.ByQuery}
}
