package webhookserver

import (
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
)

// conflictRetries is how often a callback tries to write, each time meeting another writer, before it is left to WeChat's repetition.
const conflictRetries = 8

// writer stores what a callback told. log gets the line of a change of state.
func (h *Handler) writer(log logr.Logger) status.Writer {
	return status.Writer{Client: h.Client, APIReader: h.APIReader, Attempts: conflictRetries - 1, Log: log}
}

// notStored: what the callback told is true, and could not be written, or it could not be told whose it is.
func (c *callback) notStored(err error) result {
	if apierrors.IsConflict(err) {
		return failed("too many writers")
	}
	c.log.Error(err, "Failed to store what a callback told; WeChat Pay will ask again")
	return failed(c.kind + " could not be stored")
}
