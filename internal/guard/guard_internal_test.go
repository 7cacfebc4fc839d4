package guard

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

var refunds = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "refunds"}

func forbidden(words string) error {
	return apierrors.NewForbidden(refunds, dryRunOrder+"-late", errors.New(words))
}

const inItsName = "ValidatingAdmissionPolicy 'wechatpay-operator-refund-approval' with binding 'wechatpay-operator-refund-approval' denied request: "

var (
	refusal = forbidden(inItsName + "spec.approval of Refund shop/x is not for the operator to decide")
	another = forbidden("ValidatingAdmissionPolicy 'wechatpay-operator-four-eyes' with binding 'wechatpay-operator-four-eyes' denied request: the operator asked for it")
	missing = forbidden(`User "operator" cannot create resource "refunds" in API group "wechatpay-operator.io" in the namespace "shop"`)
)

// answers is an API server that returns the given results of dry runs in order, and repeats the
// last one.
type answers struct {
	client.Client
	t      *testing.T
	mutex  sync.Mutex
	errs   []error
	asked  []v1alpha1.Approval
	liked  []*v1alpha1.Refund
	before func()
	// patched is the result of decisions on existing Refunds.
	patched error
}

func (a *answers) Patch(_ context.Context, object client.Object, _ client.Patch, options ...client.PatchOption) error {
	applied := (&client.PatchOptions{}).ApplyOptions(options)
	if len(applied.DryRun) != 1 || applied.DryRun[0] != metav1.DryRunAll {
		a.t.Error("that is no dry run")
	}
	return a.patched
}

// noneWaits is for a namespace without undecided Refunds.
func noneWaits(context.Context, string) []*v1alpha1.Refund { return nil }

func seen(approval v1alpha1.Approval, change ...func(*v1alpha1.Refund)) *v1alpha1.Refund {
	refund := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "refund-0001"}, Spec: v1alpha1.RefundSpec{Amount: 30, Approval: approval}}
	for _, c := range change {
		c(refund)
	}
	return refund
}

func (a *answers) Create(_ context.Context, object client.Object, options ...client.CreateOption) error {
	applied := (&client.CreateOptions{}).ApplyOptions(options)
	if len(applied.DryRun) != 1 || applied.DryRun[0] != metav1.DryRunAll {
		a.t.Error("that is no dry run")
	}
	if a.before != nil {
		a.before()
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	refund := object.(*v1alpha1.Refund)
	a.asked, a.liked = append(a.asked, refund.Spec.Approval), append(a.liked, refund)
	err := a.errs[0]
	if len(a.errs) > 1 {
		a.errs = a.errs[1:]
	}
	return err
}

func (a *answers) tries() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return len(a.asked)
}

// TestWhatProves: only the policy's own refusal proves that it is in force, and only an accepted
// request proves that it is missing.
func TestWhatProves(t *testing.T) {
	status := func(reason metav1.StatusReason, code int32, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Reason: reason, Code: code, Message: message}}
	}
	for what, test := range map[string]struct {
		answers []error
		want    State
	}{
		"refused by the policy":            {[]error{refusal}, InForce},
		"with a prefix by kustomize":       {[]error{forbidden("ValidatingAdmissionPolicy 'acme-wechatpay-operator-refund-approval' with binding 'acme-x' denied request: spec.approval of Refund shop/x is")}, InForce},
		"let through":                      {[]error{nil}, Missing},
		"let through, and the name exists": {[]error{apierrors.NewAlreadyExists(refunds, "x")}, Missing},
		"four eyes before it":              {[]error{another, refusal}, InForce},
		"four eyes without it":             {[]error{another, nil}, Missing},
		"other policies refuse everything": {[]error{another, another}, NotKnown},
		"the policy can't be evaluated":    {[]error{forbidden(inItsName + "expression 'x' resulted in error: no such key"), forbidden(inItsName + "expression 'x' resulted in error: no such key")}, NotKnown},
		"no right to create":               {[]error{missing}, NotKnown},
		"the API server starts":            {[]error{forbidden("not yet ready to handle request")}, NotKnown},
		"a namespace that goes":            {[]error{forbidden("unable to create new content in namespace shop because it is being terminated")}, NotKnown},
		"a quota":                          {[]error{forbidden("exceeded quota: refunds, requested: count/refunds.wechatpay-operator.io=1")}, NotKnown},
		"the schema":                       {[]error{apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("Refund").GroupKind(), "x", nil)}, NotKnown},
		"a webhook":                        {[]error{forbidden(`admission webhook "refunds.example.com" denied the request: spec.approval of Refund shop/x is not nice`)}, NotKnown},
		"a webhook that quotes the policy": {[]error{status(metav1.StatusReasonInternalError, http.StatusInternalServerError, "failed calling webhook: "+inItsName)}, NotKnown},
		"too many requests":                {[]error{apierrors.NewTooManyRequests("later", 1)}, NotKnown},
		"no namespace":                     {[]error{apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop")}, NotKnown},
		"no connection":                    {[]error{errors.New("connection refused")}, NotKnown},
	} {
		writer := &answers{t: t, errs: test.answers}
		if found, _ := try(t.Context(), writer, "shop", plainRefund); found.State != test.want || (found.State == NotKnown) != (found.Why != "") {
			t.Errorf("%s: %+v, want %s", what, found, test.want)
		}
	}
}

var pace = Intervals{Check: 5 * time.Minute, Retry: 30 * time.Second}

func newGuard(t *testing.T, errs ...error) (*Guard, *answers, *clocktesting.FakePassiveClock) {
	writer, clock := &answers{t: t, errs: errs}, clocktesting.NewFakePassiveClock(time.Unix(1796000000, 0))
	return New(writer, noneWaits, clock, pace), writer, clock
}

func (g *Guard) expect(t *testing.T, what string, want State, writer *answers, tries int) {
	t.Helper()
	if found := g.Look(t.Context(), "shop"); found.State != want {
		t.Errorf("%s: %+v, want %s", what, found, want)
	}
	if got := writer.tries(); got != tries {
		t.Errorf("%s: %d tries, want %d", what, got, tries)
	}
}

// TestHowOftenItIsTried: every five minutes, every 30 seconds while it is missing, and sooner after
// an inconclusive check.
func TestHowOftenItIsTried(t *testing.T) {
	g, writer, clock := newGuard(t, missing, refusal, nil, refusal)
	step := func(by time.Duration) { clock.SetTime(clock.Now().Add(by)) }
	g.expect(t, "at the start", NotKnown, writer, 1)
	g.expect(t, "at once again", NotKnown, writer, 1)
	step(5 * time.Second)
	g.expect(t, "a try that told nothing is repeated", InForce, writer, 2)
	step(5*time.Minute - time.Second)
	g.expect(t, "before five minutes", InForce, writer, 2)
	step(time.Second)
	g.expect(t, "after five minutes", Missing, writer, 3)
	step(29 * time.Second)
	g.expect(t, "before 30 seconds", Missing, writer, 3)
	step(time.Second)
	g.expect(t, "after 30 seconds", InForce, writer, 4)
}

// TestATryThatToldNothingLeavesWhatIsKnown: an inconclusive check keeps the state, but newly seen
// approvals are not trusted by it.
func TestATryThatToldNothingLeavesWhatIsKnown(t *testing.T) {
	g, writer, clock := newGuard(t, refusal, errors.New("connection refused"))
	g.expect(t, "at the start", InForce, writer, 1)
	clock.SetTime(clock.Now().Add(5 * time.Minute))
	g.expect(t, "without a connection", InForce, writer, 2)
	if before, now := g.LookNow(t.Context(), seen(v1alpha1.ApprovalApproved)); before.State != InForce || now.State != NotKnown || now.Why == "" {
		t.Errorf("before %+v, now %+v", before, now)
	}
	clock.SetTime(clock.Now().Add(maxInconclusive * pace.Check))
	g.expect(t, "for a quarter of an hour", NotKnown, writer, 4)
}

func TestWhatWasMissingIsNotTriedForWhatIsSeen(t *testing.T) {
	g, writer, _ := newGuard(t, nil, refusal)
	g.expect(t, "at the start", Missing, writer, 1)
	if before, now := g.LookNow(t.Context(), seen(v1alpha1.ApprovalApproved)); before.State != Missing || now.State != Missing || writer.tries() != 1 {
		t.Errorf("before %+v, now %+v after %d tries", before, now, writer.tries())
	}
}

// TestLookNowTriesAfterTheCall: LookNow does not reuse an earlier result.
func TestLookNowTriesAfterTheCall(t *testing.T) {
	g, writer, _ := newGuard(t, refusal, refusal, nil)
	g.expect(t, "at the start", InForce, writer, 1)
	if before, now := g.LookNow(t.Context(), seen(v1alpha1.ApprovalApproved)); before.State != InForce || now.State != InForce || writer.tries() != 2 {
		t.Errorf("before %+v, now %+v after %d tries", before, now, writer.tries())
	}
	if before, now := g.LookNow(t.Context(), seen(v1alpha1.ApprovalApproved)); before.State != InForce || now.State != Missing {
		t.Errorf("before %+v, now %+v: gone since", before, now)
	}
}

// TestItIsTriedAsTheRefundIs: a binding can exclude a label, and a policy amounts below a limit.
func TestItIsTriedAsTheRefundIs(t *testing.T) {
	g, writer, _ := newGuard(t, refusal)
	refund := seen("", func(r *v1alpha1.Refund) {
		r.Labels, r.Annotations = map[string]string{"skip": "yes"}, map[string]string{"team": "web"}
	})
	writer.patched = refusal
	if _, now := g.LookNow(t.Context(), refund); now.State != InForce {
		t.Errorf("%+v", now)
	}
	tried := writer.liked[0]
	if tried.Labels["skip"] != "yes" || tried.Annotations["team"] != "web" || tried.Spec.Amount != 30 || tried.Name == refund.Name {
		t.Errorf("%+v", tried)
	}
}

// TestARefundThatCantBeTried: another admission rule refuses one Refund; the checks with the other
// Refunds still count.
func TestARefundThatCantBeTried(t *testing.T) {
	quota := forbidden("exceeded quota: refunds")
	for what, c := range map[string]struct {
		answers []error
		want    State
	}{
		"beside what is refused by the policy": {[]error{refusal, quota}, InForce},
		"before what is let through":           {[]error{refusal, quota, nil}, Missing},
		"and nothing else can either":          {[]error{quota}, NotKnown},
		"and it is the ordinary one":           {[]error{quota, refusal}, InForce},
	} {
		g, writer, _ := newGuard(t, c.answers...)
		writer.patched = refusal
		g.waiting = func(context.Context, string) []*v1alpha1.Refund { return []*v1alpha1.Refund{seen(""), seen("")} }
		if found := g.Look(t.Context(), "shop"); found.State != c.want {
			t.Errorf("%s: %+v", what, found)
		}
	}
}

// TestApprovalsPutNoCheckOff: each approval is checked on its own, and the periodic check with the
// waiting Refunds still happens on time.
func TestApprovalsPutNoCheckOff(t *testing.T) {
	g, writer, clock := newGuard(t, refusal)
	waiting := 0
	g.waiting = func(context.Context, string) []*v1alpha1.Refund { waiting++; return nil }
	g.expect(t, "at the start", InForce, writer, 1)
	for range 5 {
		clock.SetTime(clock.Now().Add(time.Minute))
		if _, now := g.LookNow(t.Context(), seen(v1alpha1.ApprovalApproved)); now.State != InForce {
			t.Errorf("%+v", now)
		}
	}
	g.expect(t, "after five minutes", InForce, writer, 7)
	if waiting != 2 {
		t.Errorf("those that wait were tried %d times", waiting)
	}
}

// TestADecisionThatIsLetThrough: the policy covers creations, but not updates.
func TestADecisionThatIsLetThrough(t *testing.T) {
	for what, c := range map[string]struct {
		refund  *v1alpha1.Refund
		patched error
		want    State
	}{
		"let through":                   {seen(""), nil, Missing},
		"refused":                       {seen(""), refusal, InForce},
		"refused by another":            {seen(""), another, InForce},
		"refused by an older policy":    {seen(""), missing, InForce},
		"gone meanwhile":                {seen(""), apierrors.NewNotFound(refunds, "refund-0001"), InForce},
		"decided already":               {seen(v1alpha1.ApprovalApproved), nil, InForce},
		"on its way out, not to decide": {seen("", func(r *v1alpha1.Refund) { r.DeletionTimestamp = &metav1.Time{} }), nil, InForce},
	} {
		g, writer, _ := newGuard(t, refusal)
		writer.patched = c.patched
		if _, now := g.LookNow(t.Context(), c.refund); now.State != c.want {
			t.Errorf("%s: %+v", what, now)
		}
		g, writer, _ = newGuard(t, refusal)
		writer.patched = c.patched
		g.waiting = func(context.Context, string) []*v1alpha1.Refund { return []*v1alpha1.Refund{c.refund} }
		if now := g.Look(t.Context(), "shop"); now.State != c.want {
			t.Errorf("%s, when it is due: %+v", what, now)
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	g, _, clock := newGuard(t, refusal, nil, nil)
	told := make(chan string, 9)
	g.Listen(func(namespace string) { told <- namespace })
	for range 3 {
		g.Look(t.Context(), "shop")
		clock.SetTime(clock.Now().Add(pace.Check))
	}
	for range 2 { // at startup, and when it went missing; not while it was still missing
		if namespace := <-told; namespace != "shop" {
			t.Errorf("told of %q", namespace)
		}
	}
	select {
	case namespace := <-told:
		t.Errorf("told of %q once more", namespace)
	default:
	}
}

func TestNamespacesThatNobodyAsksAboutAreForgotten(t *testing.T) {
	g, _, clock := newGuard(t, refusal)
	g.Look(t.Context(), "shop")
	clock.SetTime(clock.Now().Add(2 * pace.Check))
	if len(g.watched()) != 1 {
		t.Error("forgotten too soon")
	}
	clock.SetTime(clock.Now().Add(time.Second))
	if len(g.watched()) != 0 || len(g.namespaces) != 0 {
		t.Error("not forgotten")
	}
	g, _, _ = newGuard(t, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"))
	if g.Look(t.Context(), "shop"); len(g.namespaces) != 0 {
		t.Error("a namespace that is gone is not forgotten")
	}
}
