package plugin

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

const day = 24 * time.Hour

// expiring is how long before its end a certificate is warned of.
const expiring = 30 * day

// billDelay is when WeChat Pay has the bill of the day before, with some time for the operator.
const billDelay = 12 * time.Hour

// allMerchants looks at each Merchant: its conditions, its endpoint and its certificates.
func (e *examination) allMerchants(ctx context.Context) {
	var merchants v1alpha1.MerchantList
	if !e.listed(ctx, e.text("Merchants"), &merchants, e.here()...) {
		return
	}
	e.merchants = merchants.Items
	if len(e.merchants) == 0 {
		e.report(careful, e.text("Merchants"), e.text("none in namespace %s", e.namespace),
			e.text("choose another namespace with -n, or look at all with -A"))
	}
	for i := range e.merchants {
		e.merchant(&e.merchants[i])
	}
}

// conditionChecks are what a Merchant's conditions say, and what it means that one is not True.
var conditionChecks = []struct {
	condition string
	worst     verdict
}{
	{v1alpha1.ConditionReady, faulty}, {v1alpha1.ConditionCallsAllowed, careful}, {v1alpha1.ConditionRefundsGuarded, faulty},
	{v1alpha1.ConditionCallbacksReachable, careful}, {v1alpha1.ConditionRefundsAllowed, careful}, {v1alpha1.ConditionRecorded,
		careful},
}

func (e *examination) merchant(m *v1alpha1.Merchant) {
	for _, check := range conditionChecks {
		c := condition(m.Status.Conditions, check.condition)
		subject := e.named("Merchant", m) + " " + check.condition
		switch {
		case c.Type == "" && check.condition == v1alpha1.ConditionReady:
			e.report(faulty, subject, e.text("the operator has not looked at it"), e.text("see the line about the operator"))
		case c.Type == "":
			// It does not concern this Merchant.
		default:
			e.judge("Merchant", subject, c, check.worst, e.paragraphOn(c))
		}
	}
	if endpoint := m.Spec.Endpoint; endpoint != nil {
		e.report(careful, e.named("Merchant", m)+" endpoint", e.text("calls go to %s and not to WeChat Pay's own host", endpoint.URL),
			e.text("this is right for simulators, proxies and other regions only"))
	}
	e.certificates(m)
}

// certificates looks at the ends of the merchant's own certificate and of WeChat Pay's.
func (e *examination) certificates(m *v1alpha1.Merchant) {
	if own := m.Status.Certificate; own != nil && own.NotAfter != nil {
		e.expiry(e.text("%s certificate", e.named("Merchant", m)), own.NotAfter,
			e.text("get a new one in the merchant platform, and replace it as docs/rotate-credentials.md says"))
	}
	for _, verifier := range m.Status.Verifiers {
		if verifier.NotAfter != nil {
			e.expiry(e.text("%[1]s WeChat Pay's certificate %[2]s", e.named("Merchant", m), verifier.ID), verifier.NotAfter,
				e.text("the operator downloads the next one by itself, or name WeChat Pay's public key in spec.publicKeys"))
		}
	}
}

func (e *examination) expiry(subject string, end *metav1.Time, do string) {
	left := end.Sub(e.Now())
	switch {
	case left <= 0:
		e.report(faulty, subject, e.text("expired at %s", e.moment(end)), do)
	case left < expiring:
		e.report(careful, subject, e.text("expires at %[1]s, in %[2]d days", e.moment(end), int(left/day)), do)
	default:
		e.report(inOrder, subject, e.text("is good until %s", e.moment(end)), "")
	}
}

// sinksAndMiniPrograms looks at what else has a Secret in the namespace.
func (e *examination) sinksAndMiniPrograms(ctx context.Context) {
	operatorLine := e.text("see the line about the operator")
	var sinks v1alpha1.EventSinkList
	e.listed(ctx, e.word("EventSink"), &sinks, e.here()...)
	for _, sink := range sinks.Items {
		name := e.named("EventSink", &sink)
		e.judge("EventSink", name, condition(sink.Status.Conditions, v1alpha1.ConditionDelivering), faulty, operatorLine)
		e.secret(ctx, name, sink.Namespace, sink.Spec.SecretRef.Name)
	}
	var programs v1alpha1.MiniProgramList
	e.listed(ctx, e.word("MiniProgram"), &programs, e.here()...)
	for _, program := range programs.Items {
		name := e.named("MiniProgram", &program)
		e.judge("MiniProgram", name, condition(program.Status.Conditions, v1alpha1.ConditionReady), faulty, operatorLine)
		e.secret(ctx, name, program.Namespace, program.Spec.AppSecretRef.Name)
	}
}

// named is an object by its kind and name, with its namespace where several are looked at.
func (e *examination) named(kind string, object client.Object) string {
	name := object.GetName()
	if e.everywhere {
		name = object.GetNamespace() + "/" + name
	}
	return e.word(kind) + " " + dash(name)
}

// secrets looks whether the Secrets are there that Merchants name. Their content is not read: only metadata is asked for.
func (e *examination) secrets(ctx context.Context) {
	for i := range e.merchants {
		m := &e.merchants[i]
		for _, name := range m.Spec.SecretNames() {
			e.secret(ctx, e.named("Merchant", m), m.Namespace, name)
		}
	}
}

func (e *examination) secret(ctx context.Context, owner, namespace, name string) {
	subject := e.text("%[1]s Secret %[2]s", owner, name)
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	switch err := e.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		e.report(faulty, subject, e.text("does not exist"),
			e.text("create it in namespace %s; docs/install.md says what it holds", namespace))
	case err != nil:
		e.skip(subject, err)
	default:
		e.report(inOrder, subject, e.text("is there"), "")
	}
}

// statements looks at the latest Statement of each Merchant that has one made every day.
func (e *examination) statements(ctx context.Context) {
	for i := range e.merchants {
		m := &e.merchants[i]
		if m.Spec.Statements == nil || m.Spec.Statements.Schedule != v1alpha1.StatementsDaily {
			continue
		}
		subject := e.text("%s Statements", e.named("Merchant", m))
		var all v1alpha1.StatementList
		if e.listed(ctx, subject, &all, client.InNamespace(m.Namespace), client.MatchingFields{"spec.merchantRef.name": m.Name}) {
			e.latestStatement(m, subject, all.Items)
		}
	}
}

func (e *examination) latestStatement(m *v1alpha1.Merchant, subject string, all []v1alpha1.Statement) {
	due := bills.DayOf(e.Now().Add(-billDelay)).Previous()
	if bills.DayOf(m.CreationTimestamp.Time) > due {
		e.report(inOrder, subject, e.text("none is due yet"), "")
		return
	}
	var latest *v1alpha1.Statement
	for i := range all {
		if all[i].Spec.Date <= string(due) && (latest == nil || all[i].Spec.Date > latest.Spec.Date) {
			latest = &all[i]
		}
	}
	look := e.text("kubectl wechatpay statement %[1]s %[2]s", m.Name, string(due))
	if latest == nil || latest.Spec.Date < string(due) {
		e.report(careful, subject, e.text("there is none of %s", string(due)), look)
		return
	}
	switch balanced := condition(latest.Status.Conditions, v1alpha1.ConditionBalanced); balanced.Status {
	case metav1.ConditionTrue:
		e.report(inOrder, subject, e.text("%[1]s: %[2]s", latest.Spec.Date, e.reason(balanced.Reason)), "")
	case metav1.ConditionFalse:
		e.report(faulty, subject, e.text("%[1]s: %[2]s", latest.Spec.Date, e.said("Statement", balanced)), look)
	default:
		e.report(careful, subject, e.text("%[1]s: %[2]s", latest.Spec.Date, e.said("Statement", condition(latest.Status.Conditions,
			v1alpha1.ConditionDownloaded))), look)
	}
}

// waiting counts the Refunds that nobody has decided on.
func (e *examination) waiting(ctx context.Context) {
	subject := e.text("Refunds")
	var refunds v1alpha1.RefundList
	if !e.listed(ctx, subject, &refunds, append(e.here(), client.MatchingFields{"spec.approval": ""})...) {
		return
	}
	waiting := 0
	for _, refund := range refunds.Items {
		if condition(refund.Status.Conditions, v1alpha1.ConditionApproved).Reason == v1alpha1.ReasonAwaitingApproval {
			waiting++
		}
	}
	e.report(inOrder, subject, e.text("%d wait for a decision", waiting), "")
}
