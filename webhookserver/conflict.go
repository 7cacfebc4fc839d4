package webhookserver

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errReplaced: the object was deleted and another one created under its name. That one may have another number.
var errReplaced = errors.New("the object was replaced by another of its name")

// readAgain reads what the API server has by now. It reads into an empty object, so that nothing of a change that was not stored
// can be taken for stored, whatever the reader does with what is there already.
func (h *Handler) readAgain(ctx context.Context, known, newer client.Object) error {
	if err := h.APIReader.Get(ctx, client.ObjectKeyFromObject(known), newer); err != nil {
		return err
	}
	if newer.GetUID() != known.GetUID() {
		return errReplaced
	}
	return nil
}
