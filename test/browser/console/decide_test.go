package console

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/console"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
)

const (
	card         = "#refund-refund-0001"
	mayApprove   = `document.querySelector('` + card + ` button.approve:enabled')`
	mayNotDecide = `document.querySelector('` + card + ` button.approve:disabled') && document.querySelector('#may-not')`
	decided      = `document.querySelector('` + card + `[data-approval=Approved]')`
)

// answers is a shop with a Refund of 50 fen of an Order of 101 that waits.
func answers(t *testing.T) *desk {
	d := open(t, quiet)
	d.paid("order-0001")
	d.refund("refund-0001", "order-0001", 50)
	return d
}

// force sends a decision past the buttons, with the session of the page.
func force(p *chromium.Page, d *desk, approval string) int {
	refund := d.Refund("refund-0001")
	return chromium.Read[int](p, fmt.Sprintf(`(async () => (await fetch('/apis/wechatpay-operator.io/v1alpha1/namespaces/%s/refunds/refund-0001', {
		method: 'PATCH', headers: {'Content-Type': 'application/merge-patch+json'},
		body: JSON.stringify({metadata: {resourceVersion: '%s'}, spec: {approval: '%s'}})})).status)()`, d.Namespace, refund.ResourceVersion, approval))
}

// TestAViewerCantApprove: not by the buttons, and not by what the buttons would send.
func TestAViewerCantApprove(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.viewer(), "refunds")
	p.Await(mayNotDecide)
	for _, approval := range []string{"Approved", "Denied"} {
		if code := force(p, d, approval); code != http.StatusForbidden {
			t.Errorf("%s was answered with %d", approval, code)
		}
	}
	if refund := d.Refund("refund-0001"); refund.Spec.Approval != "" {
		t.Errorf("the Refund is %s", refund.Spec.Approval)
	}
}

// TestWhoMayWriteButNotApprove is stopped by the policy: patch on refunds is not approve.
func TestWhoMayWriteButNotApprove(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.token("backend", viewerRole, "wechatpay-operator-shop"), "refunds")
	p.Await(mayNotDecide)
	if code := force(p, d, "Approved"); code != http.StatusForbidden {
		t.Errorf("it was answered with %d", code)
	}
}

// TestAnApproverApproves: after having seen who wants what back, and another's page shows it by itself.
func TestAnApproverApproves(t *testing.T) {
	d := answers(t)
	d.refund("refund-0002", "order-0001", 20)
	approver, viewer := d.logIn(desktop, d.approver(), "refunds"), d.logIn(desktop, d.viewer(), "refunds")
	viewer.Await(live)
	viewer.Await(`document.querySelector('` + card + `')`)
	approver.Await(mayApprove)
	click(approver, card+" button.approve")
	approver.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	asked := approver.Text("dialog")
	for _, words := range []string{"Pay back 0.50 yuan?", "system:serviceaccount:shop:storefront", "质量问题", "肥皂 x1", "1.01 yuan", "refund-0002", "0.20 yuan waiting for a decision (1)", "1.01 yuan, and 0.51 yuan after this one", "A decision is final."} {
		if !strings.Contains(asked, words) {
			t.Errorf("the dialog does not say %q: %s", words, asked)
		}
	}
	for where, text := range map[string]string{"dialog": asked, "page": approver.Text("main #believed")} {
		if !strings.Contains(text, "verified only where the component four-eyes is installed") {
			t.Errorf("the %s does not say what the names are worth: %s", where, text)
		}
	}
	enterText(approver, "#why", "the soap was broken")
	click(approver, "dialog #confirm")
	approver.Await(decided)
	viewer.Await(decided)
	viewer.Await(`document.querySelector('` + card + ` .why').textContent === 'the soap was broken'`)
	refund := d.Refund("refund-0001")
	if refund.Spec.Approval != v1alpha1.ApprovalApproved || refund.Spec.ApprovalMessage != "the soap was broken" {
		t.Errorf("the Refund is %+v", refund.Spec)
	}
	managers := ""
	for _, entry := range refund.ManagedFields {
		managers += entry.Manager + " "
	}
	if !strings.Contains(managers, "wechatpay-console") {
		t.Errorf("decided by the field manager %s", managers)
	}
}

// TestADenialNeedsAReason.
func TestADenialNeedsAReason(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	click(p, card+" button.deny")
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('#why-needed[role=alert]')`)
	if refund := d.Refund("refund-0001"); refund.Spec.Approval != "" {
		t.Fatalf("the Refund is %s", refund.Spec.Approval)
	}
	enterText(p, "#why", "the payer has kept the soap")
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('` + card + `[data-approval=Denied]')`)
	if refund := d.Refund("refund-0001"); refund.Spec.Approval != v1alpha1.ApprovalDenied || refund.Spec.ApprovalMessage != "the payer has kept the soap" {
		t.Errorf("the Refund is %+v", refund.Spec)
	}
}

// TestCancelSendsNothing.
func TestCancelSendsNothing(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")), chromedp.KeyEvent("\x1b"), chromedp.WaitNotPresent(chromedp.CSS("dialog")))
	if refund := d.Refund("refund-0001"); refund.Spec.Approval != "" {
		t.Errorf("the Refund is %s", refund.Spec.Approval)
	}
}

// TestARevokedRightTakesEffect: the buttons go by themselves, and a dialog that was open before is refused and says why.
func TestARevokedRightTakesEffect(t *testing.T) {
	d := answers(t)
	d.restart(func(o *console.Options) { o.WatchDuration = 2e9 })
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm:enabled")))
	d.revoke("wang-" + approverRole)
	if code := force(p, d, "Approved"); code != http.StatusForbidden {
		t.Errorf("a decision was answered with %d", code)
	}
	p.Await(`document.querySelector('dialog #confirm:disabled')`)
	click(p, "#cancel")
	p.Await(mayNotDecide)
	// And what may not be seen any more goes, although a watch was open.
	d.revoke("wang-"+viewerRole, "wang-aggregate-to-view")
	p.Await(`document.querySelector('.trouble[data-code="403"]') && !document.querySelector('` + card + `')`)
}

func (d *desk) revoke(bindings ...string) {
	for _, name := range bindings {
		d.Must(d.Client.Delete(d.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name}}))
	}
}

// TestARefusalIsExplained: what the API server says is shown in its words, beside ours.
func TestARefusalIsExplained(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	d.faults.set(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"kind":"Status","code":403,"reason":"Forbidden","message":"somebody else with the verb \"approve\" has to <b>do it</b>"}`)
		return true
	})
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('dialog .trouble[data-code="403"]')`)
	if shown := p.Text(`dialog .trouble[data-code="403"]`); !strings.Contains(shown, "You have no right") || !strings.Contains(shown, `somebody else with the verb "approve" has to <b>do it</b>`) {
		t.Errorf("it says %s", shown)
	}
}

// TestAConflictShowsWhatChanged, and asks again; nothing is sent meanwhile.
func TestAConflictShowsWhatChanged(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	refund := d.Refund("refund-0001")
	d.condition(refund, &refund.Status.Conditions, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonPolicyNotVerified, "the policy can't be read")
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('#changed')`)
	if shown := p.Text("#changed"); !strings.Contains(shown, "Approved: Awaiting approval → Policy not verified") {
		t.Errorf("it says %s", shown)
	}
	if refund := d.Refund("refund-0001"); refund.Spec.Approval != "" {
		t.Fatalf("the Refund is %s", refund.Spec.Approval)
	}
	// Texts of others do not change places: what was Hebrew or Arabic is before the arrow still.
	d.Patch(d.Refund("refund-0001"), `{"metadata":{"annotations":{"wechatpay-operator.io/note":"שלום"}}}`)
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('#changed') && document.querySelector('#changed').textContent.includes('note')`)
	if parts := chromium.Read[string](p, `[...document.querySelectorAll('#changed li bdi')].map((part) => part.textContent).join('|')`); parts != "wechatpay-operator.io/note|–|שלום" {
		t.Errorf("the parts that keep their direction are %s", parts)
	}
	click(p, "dialog #confirm")
	p.Await(decided)
}

// TestSomebodyElseWasFaster: their decision is shown, and there is nothing left to confirm.
func TestSomebodyElseWasFaster(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	d.cutWatches()
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	d.Patch(d.Refund("refund-0001"), `{"spec":{"approval":"Denied","approvalMessage":"no"}}`)
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('#nothing-to-decide') && !document.querySelector('#confirm')`)
	if shown := p.Text("#changed"); !strings.Contains(shown, "Denied") {
		t.Errorf("it says %s", shown)
	}
}

// cutWatches keeps a page from learning by itself what changes.
func (d *desk) cutWatches() {
	d.faults.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("watch") {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	d.faults.CloseClientConnections()
}

// TestNothingIsLeftToDecide: what kubectl wechatpay does not decide on, the page does not either, though it learns of
// it only when the decision is refused because the Refund has changed.
func TestNothingIsLeftToDecide(t *testing.T) {
	d := open(t, quiet)
	d.paid("order-0001")
	cases := []struct {
		name, says string
		change     func(r *v1alpha1.Refund)
	}{
		{"refund-policy", "The policy on approvals is not in force", func(r *v1alpha1.Refund) {
			d.condition(r, &r.Status.Conditions, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonPolicyMissing, "no policy")
		}},
		{"refund-deleted", "is being deleted", func(r *v1alpha1.Refund) {
			d.Patch(r, `{"metadata":{"finalizers":["test.example.com/keep"]}}`)
			d.Must(d.Client.Delete(d.Context(), r))
		}},
		{"refund-automatic", "needs no decision and cannot be held back any more: Automatic", func(r *v1alpha1.Refund) {
			d.condition(r, &r.Status.Conditions, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonAutomatic, "automatic")
		}},
		{"refund-ended", "has ended as Rejected", func(r *v1alpha1.Refund) {
			d.condition(r, &r.Status.Conditions, v1alpha1.ConditionSucceeded, metav1.ConditionFalse, v1alpha1.ReasonRejected, "no")
		}},
	}
	for _, c := range cases {
		d.refund(c.name, "order-0001", 10)
	}
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(`document.querySelectorAll('.card button.approve:enabled').length === 4`)
	d.cutWatches()
	for _, c := range cases {
		click(p, "#refund-"+c.name+" button.approve")
		p.Await(`document.querySelector('dialog #confirm')`)
		c.change(d.Refund(c.name))
		click(p, "dialog #confirm")
		p.Await(`document.querySelector('dialog #nothing-to-decide') && !document.querySelector('dialog #confirm')`)
		if shown := p.Text("dialog"); !strings.Contains(shown, c.says) {
			t.Errorf("%s: it says %s", c.name, shown)
		}
		if refund := d.Refund(c.name); refund.Spec.Approval != "" {
			t.Errorf("%s is %s", c.name, refund.Spec.Approval)
		}
		click(p, "dialog #cancel")
		p.Await(`!document.querySelector('dialog')`)
	}
	d.Patch(d.Refund("refund-deleted"), `{"metadata":{"finalizers":null}}`)

	// At the first look too, with its state; and what can't be approved can be denied.
	p.Do(chromedp.Reload())
	click(p, "#refund-refund-policy button.approve")
	p.Await(`document.querySelector('dialog #nothing-to-decide') && !document.querySelector('dialog #confirm')`)
	if shown := p.Text("dialog .facts"); !strings.Contains(shown, "Policy missing") {
		t.Errorf("the state is not shown: %s", shown)
	}
	click(p, "dialog #cancel")
	click(p, "#refund-refund-policy button.deny")
	p.Await(`document.querySelector('dialog #confirm:enabled') && !document.querySelector('dialog #nothing-to-decide')`)
}

// TestALostAnswerIsNoDecisionAndNoFailure: the page says that it does not know, and looks again.
func TestALostAnswerIsNoDecisionAndNoFailure(t *testing.T) {
	d := answers(t)
	p := d.logIn(desktop, d.approver(), "refunds")
	p.Await(mayApprove)
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	d.faults.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	click(p, "dialog #confirm")
	p.Await(`document.querySelector('dialog').textContent.includes('not known whether')`)
	d.faults.set(nil)
	click(p, "dialog #confirm")
	p.Await(decided)
}
