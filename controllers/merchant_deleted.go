package controllers

import (
	"fmt"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const merchantDeletedNote = ". The Merchant is being deleted and waits for "

// withDeletion adds to the message of Ready what a deleted Merchant waits for. The message may be
// the one that is shown already, so its notes are removed first.
func (r *MerchantReconciler) withDeletion(m *v1alpha1.Merchant, message string) string {
	message, _, _ = strings.Cut(message, writeRefusedNote)
	message, _, _ = strings.Cut(message, merchantDeletedNote)
	if !isDeleted(m) {
		return message
	}
	users := r.known.of(m).users
	if users == 0 {
		return message
	}
	return message + merchantDeletedNote + manyOrFew(users) + " to end: close the Orders, and decide or delete the Refunds"
}

// manyOrFew counts unfinished Orders and Refunds. Large numbers are rounded down, so that each Order
// of thousands that ends does not write the Merchant.
func manyOrFew(users int) string {
	for _, many := range []int{10000, 1000, 100, 10} {
		if users > many {
			return fmt.Sprintf("more than %d unfinished Orders and Refunds", many)
		}
	}
	if users == 1 {
		return "1 unfinished Order or Refund"
	}
	return fmt.Sprintf("%d unfinished Orders and Refunds", users)
}
