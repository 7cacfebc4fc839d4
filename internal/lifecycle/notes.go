package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// A note stands behind the message of a condition and says what is in the way at the moment, without changing what the condition
// says: the question that was answered by an error, and the write that the cluster refuses. Each goes when it is over.
const (
	askedInVain  = ". When WeChat Pay was last asked, it went wrong: "
	writeRefused = ". The cluster refuses a write: "
)

// maxNote keeps two notes and the message before them within maxMessage.
const maxNote = 320

// noted is a message taken apart.
type noted struct {
	message, asked, write string
}

func notesOf(message string) noted {
	message, write, _ := strings.Cut(message, writeRefused)
	message, asked, _ := strings.Cut(message, askedInVain)
	return noted{message: message, asked: asked, write: write}
}

func (n noted) String() string {
	whole := n.message
	if n.asked != "" {
		whole += askedInVain + n.asked
	}
	if n.write != "" {
		whole += writeRefused + n.write
	}
	return whole
}

// withAskedInVain adds the words of an error that a question was answered by; nil takes the note away.
func withAskedInVain(message string, err error) string {
	n := notesOf(message)
	n.asked = ""
	if err != nil {
		n.asked = words(err) + ". It is asked again by itself"
	}
	return n.String()
}

// withWriteRefused adds what the cluster said; empty takes the note away.
func withWriteRefused(message, refusal string) string {
	n := notesOf(message)
	n.write = text.AtMost(maxNote, refusal)
	return n.String()
}

func words(err error) string {
	return text.AtMost(maxNote, fmt.Sprint(err))
}

// OrderWriteRefused notes in the condition Paid that the cluster refuses a write of an Order; empty takes the note away.
func OrderWriteRefused(order *v1alpha1.Order, refusal string, now time.Time) {
	Begin(order, now)
	shown := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	setOrder(order, now, v1alpha1.ConditionPaid, shown.Status, shown.Reason, withWriteRefused(shown.Message, refusal))
}

// RefundWriteRefused notes in the condition Succeeded that the cluster refuses a write of a Refund; empty takes the note away.
func RefundWriteRefused(refund *v1alpha1.Refund, refusal string, now time.Time) {
	BeginRefund(refund, now)
	shown := meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	setRefund(refund, now, v1alpha1.ConditionSucceeded, shown.Status, shown.Reason, withWriteRefused(shown.Message, refusal))
}
