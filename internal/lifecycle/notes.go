package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// Notes are appended to the message of a condition. They report a current problem (a failed query,
// a write that the API server rejects) and leave the condition itself unchanged. Each note is
// removed once its problem is gone.
const (
	queryFailed  = ". When WeChat Pay was last asked, it went wrong: "
	writeRefused = ". The cluster refuses a write: "
)

// withdrawn is a note of a deleted Refund that can't go yet. It names no time and no number, so that
// it is written once.
const withdrawn = ". The Refund is being deleted: nothing more is sent for it, and it goes when WeChat Pay has said what became of an earlier request"

// maxNote keeps the message and both notes within maxMessage.
const maxNote = 320

// noted is a message split into its text and its notes.
type noted struct {
	message, query, write string
}

func notesOf(message string) noted {
	message, write, _ := strings.Cut(message, writeRefused)
	message, query, _ := strings.Cut(message, queryFailed)
	return noted{message: message, query: query, write: write}
}

func (n noted) String() string {
	whole := n.message
	if n.query != "" {
		whole += queryFailed + n.query
	}
	if n.write != "" {
		whole += writeRefused + n.write
	}
	return whole
}

// withQueryFailed adds the error of a failed query; nil removes the note.
func withQueryFailed(message string, err error) string {
	n := notesOf(message)
	n.query = ""
	if err != nil {
		n.query = text.AtMost(maxNote, fmt.Sprint(err)) + ". The operator queries again automatically"
	}
	return n.String()
}

// withWriteRefused adds the API server's error; an empty string removes the note.
func withWriteRefused(message, refusal string) string {
	n := notesOf(message)
	n.write = text.AtMost(maxNote, refusal)
	return n.String()
}

// OrderWriteRefused notes in the condition Paid that the API server rejects a write of the Order;
// an empty refusal removes the note.
func OrderWriteRefused(order *v1alpha1.Order, refusal string, now time.Time) {
	Begin(order, now)
	shown := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	setOrder(order, now, v1alpha1.ConditionPaid, shown.Status, shown.Reason, withWriteRefused(shown.Message, refusal))
}

// RefundWriteRefused notes in the condition Succeeded that the API server rejects a write of the
// Refund; an empty refusal removes the note.
func RefundWriteRefused(refund *v1alpha1.Refund, refusal string, now time.Time) {
	BeginRefund(refund, now)
	shown := meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	setRefund(refund, now, v1alpha1.ConditionSucceeded, shown.Status, shown.Reason, withWriteRefused(shown.Message, refusal))
}
