package console

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
)

// ask opens the dialog of an approval, and returns what it says.
func ask(p *chromium.Page, refund string) string {
	p.Helper()
	click(p, "#refund-"+refund+" button.approve")
	p.Await(`document.querySelector('dialog .facts')`)
	return p.Text("dialog")
}

// pageSize has the API server give lists of an Order's Refunds in small pieces.
func (d *desk) pageSize(limit int) {
	d.faults.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if query := r.URL.Query(); strings.HasPrefix(query.Get("fieldSelector"), "spec.orderRef.name=") && query.Has("limit") {
			query.Set("limit", strconv.Itoa(limit))
			r.URL.RawQuery = query.Encode()
		}
		return false
	})
}

// TestWhatIsLeft is added up as kubectl wechatpay does, over all pages of a list, and left out where there are more.
func TestWhatIsLeft(t *testing.T) {
	d := open(t, quiet)
	order := d.paid("order-0001")
	order.Status.Refunded = &v1alpha1.Refunded{Total: 17, Count: 2, Refunds: []v1alpha1.RefundedItem{{OutRefundNo: "refund-0002", Amount: 10}, {OutRefundNo: "refund-0003", Amount: 7}}}
	d.Must(d.Client.Status().Update(d.Context(), order))
	final := func(name string, amount int64, status metav1.ConditionStatus, reason string) {
		r := d.refund(name, "order-0001", amount, func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalApproved })
		d.condition(r, &r.Status.Conditions, v1alpha1.ConditionSucceeded, status, reason, "")
	}
	d.refund("refund-0001", "order-0001", 50)
	final("refund-0002", 10, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)     // and recorded by the Order
	final("refund-0003", 7, metav1.ConditionUnknown, v1alpha1.ReasonProcessing)  // recorded by the Order already
	final("refund-0004", 5, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)      // not recorded yet
	final("refund-0005", 20, metav1.ConditionUnknown, v1alpha1.ReasonProcessing) // under way
	final("refund-0006", 40, metav1.ConditionFalse, v1alpha1.ReasonRejected)     // takes nothing
	d.refund("refund-0007", "order-0001", 3)                                     // waits
	const (
		sums = "0.22 yuan refunded (3), 0.20 yuan under way (1), 0.03 yuan waiting for a decision (1)"
		left = "0.59 yuan, and 0.09 yuan after this one"
	)
	p := d.logIn(desktop, d.approver(), "refunds")
	for _, limit := range []int{500, 2} {
		d.pageSize(limit)
		if shown := ask(p, "refund-0001"); !strings.Contains(shown, sums) || !strings.Contains(shown, left) || strings.Contains(shown, "Careful") {
			t.Errorf("in pages of %d it says %s", limit, shown)
		}
		click(p, "dialog #cancel")
		p.Await(`!document.querySelector('dialog')`)
	}
	d.pageSize(1)
	shown := ask(p, "refund-0001")
	if !strings.Contains(shown, "The Order has more Refunds than the 3 that were read") || strings.Contains(shown, "after this one") || strings.Contains(shown, "under way (") {
		t.Errorf("where there are more it says %s", shown)
	}
}

// TestCareful: what an approver could overlook.
func TestCareful(t *testing.T) {
	d := open(t, quiet)
	d.order("order-unpaid")
	d.refund("refund-unpaid", "order-unpaid", 1)
	late := d.paid("order-late")
	d.condition(late, &late.Status.Conditions, v1alpha1.ConditionPaid, metav1.ConditionTrue, v1alpha1.ReasonPaidLate, "")
	d.refund("refund-late", "order-late", 1)
	d.paid("order-much")
	d.refund("refund-before", "order-much", 60, func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalApproved })
	d.refund("refund-much", "order-much", 60)
	d.paid("order-unread")
	d.refund("refund-unread", "order-unread", 1)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(`document.querySelectorAll('.card button.approve:enabled').length === 4`)
	d.faults.set(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/orders/order-unread") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	for refund, says := range map[string]string{
		"refund-unpaid": "Careful: The Order is not paid.",
		"refund-late":   "Careful: The Order was paid in an unusual way: Paid late.",
		"refund-much":   "Careful: This is more than is left to refund.",
		"refund-unread": "Careful: The Order could not be read, so what was paid is not known. The API server can’t be reached.",
	} {
		if shown := ask(p, refund); !strings.Contains(shown, says) {
			t.Errorf("%s: it does not say %q: %s", refund, says, shown)
		}
		p.Do(chromedp.KeyEvent("\x1b"), chromedp.WaitNotPresent(chromedp.CSS("dialog")))
	}
}
