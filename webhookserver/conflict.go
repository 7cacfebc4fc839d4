package webhookserver

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errReplaced: the object was deleted and another one created under its name. That one may have another number.
var errReplaced = errors.New("the object was replaced by another of its name")

// readAgain reads what the API server has by now into an empty object. Never into the one that was changed already: what the
// API server does not have would stay in it, and a payment that is stored nowhere would look as if it were.
func (h *Handler) readAgain(ctx context.Context, known, newer client.Object) error {
	if err := h.Live.Get(ctx, client.ObjectKeyFromObject(known), newer); err != nil {
		return err
	}
	if newer.GetUID() != known.GetUID() {
		return errReplaced
	}
	return nil
}
