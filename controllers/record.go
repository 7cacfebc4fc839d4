package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
)

// recordDeadline limits writing WeChat's answer. It is independent of the process's context: an
// answer that arrives during a shutdown is still written.
const recordDeadline = 15 * time.Second

// recordAttempts limits how often a conflict is resolved at once; after that the next reconcile
// handles it.
const recordAttempts = 5

// record applies a change to the status of an object and writes it if it changed.
func record[T client.Object](ctx context.Context, b *Base, object T, change func(T)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordDeadline)
	defer cancel()
	writer := status.Writer{
		Client: b.Client, APIReader: b.APIReader, Attempts: recordAttempts, Log: b.log(ctx),
		Wrote: func(object client.Object, err error) error { return b.wrote(ctx, object, metrics.WriteStatus, err) },
	}
	_, err := status.Update(ctx, writer, object, func(object T) error {
		change(object)
		return nil
	})
	return err
}
