package webhookserver

import (
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
)

// conflictRetries is how often a callback attempts a write that conflicts with other writers,
// before it is left to WeChat's repetition.
const conflictRetries = 8

// writer returns a writer for the results of callbacks. Changes of state are logged to log.
func (h *Handler) writer(log logr.Logger) status.Writer {
	return status.Writer{Client: h.Client, APIReader: h.APIReader, Attempts: conflictRetries - 1, Log: log}
}

// notStored: the callback is genuine, but its result could not be written, or its owner could not
// be determined.
func (c *callback) notStored(err error) result {
	if apierrors.IsConflict(err) {
		return failed("too many writers")
	}
	c.log.Error(err, "Failed to store the result of a callback; WeChat Pay will repeat it")
	return failed(c.kind + " could not be stored")
}
