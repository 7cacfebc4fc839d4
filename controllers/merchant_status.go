package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// warnDays are the days before the certificate's expiry at which a warning is written.
var warnDays = []int{7, 30, 60}

// show writes the status, and schedules the next read of the Secrets.
func (r *MerchantReconciler) show(ctx context.Context, m *v1alpha1.Merchant, acc *account.Account, status metav1.ConditionStatus, reason, message string) progress {
	before := readyReason(m)
	message = r.withRefusal(m, r.withDeletion(m, message))
	allowed, why, pauses := callsAllowed(acc)
	guarded, guardedBefore := r.refundsGuarded(ctx, m), conditionOf(m, v1alpha1.ConditionRefundsGuarded)
	callbacks, tested := r.Callbacks.get(m)
	callbacksBefore := conditionOf(m, v1alpha1.ConditionCallbacksReachable)
	err := record(ctx, &r.Base, m, func(m *v1alpha1.Merchant) {
		r.set(m, v1alpha1.ConditionReady, status, reason, message)
		r.set(m, v1alpha1.ConditionCallsAllowed, allowed, why, pauses)
		r.set(m, v1alpha1.ConditionRefundsGuarded, guarded.Status, guarded.Reason, guarded.Message)
		r.setRecorded(m)
		if tested {
			callbacks.LastTransitionTime = metav1.NewTime(r.Clock.Now())
			meta.SetStatusCondition(&m.Status.Conditions, callbacks)
		}
		if acc != nil {
			m.Status.Certificate = acc.Certificate
			verifiers := acc.ProvenVerifiers(m)
			m.Status.Keys, m.Status.KeysEndpoint = acc.ProvenKeys(m)
			m.Status.Verifiers = verifiers
			r.setRefundsAllowed(m, acc)
		}
	})
	if err != nil {
		return stoppedBy(err)
	}
	if status == metav1.ConditionFalse && before != reason {
		r.warn(m, reason, "Check", "%s", message)
	}
	r.reportChange(m, "CheckPolicy", guardedBefore, guarded)
	if tested {
		r.reportChange(m, "CheckCallbacks", callbacksBefore, callbacks)
	}
	return again(r.Timing.SecretsCheck)
}

// reportChange writes an event when a condition becomes False, or False for another reason, and when it is True again.
func (r *MerchantReconciler) reportChange(m *v1alpha1.Merchant, action string, before, now metav1.Condition) {
	switch {
	case now.Status == metav1.ConditionFalse && before.Reason != now.Reason:
		r.warn(m, now.Reason, action, "%s", now.Message)
	case now.Status == metav1.ConditionTrue && before.Status == metav1.ConditionFalse:
		r.note(m, now.Reason, action, "%s", now.Message)
	}
}

func (r *MerchantReconciler) set(m *v1alpha1.Merchant, kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&m.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: m.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	})
}

func readyReason(m *v1alpha1.Merchant) string {
	_, reason, _ := readyCondition(m)
	return reason
}

func readyCondition(m *v1alpha1.Merchant) (metav1.ConditionStatus, string, string) {
	if shown := conditionOf(m, v1alpha1.ConditionReady); shown.Status != "" {
		return shown.Status, shown.Reason, shown.Message
	}
	return metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, "Whether WeChat Pay accepts the key is not known yet"
}

// setRefundsAllowed shows whether the sub merchant lets its service provider refund. What is not
// known to this process stays as it was.
func (r *MerchantReconciler) setRefundsAllowed(m *v1alpha1.Merchant, acc *account.Account) {
	if m.Spec.Partner == nil {
		return
	}
	switch acc.RefundRight() {
	case account.RefundRightGranted:
		r.set(m, v1alpha1.ConditionRefundsAllowed, metav1.ConditionTrue, v1alpha1.ReasonRefundAccepted, "WeChat Pay accepted a refund request for the sub merchant")
	case account.RefundRightMissing:
		r.set(m, v1alpha1.ConditionRefundsAllowed, metav1.ConditionFalse, v1alpha1.ReasonNoRight, fmt.Sprintf(
			"Sub merchant %s does not let service provider %s refund: its super administrator grants 服务商API退款 in the merchant platform (产品中心 → 我授权的产品). Refunds wait, and the operator tries them again every hour",
			m.Spec.Partner.SubMchID, m.Spec.MchID))
	}
}

// setRecorded shows whether the ledger can be written; nothing without a ledger. The text stays the
// same while the database can't be reached.
func (r *MerchantReconciler) setRecorded(m *v1alpha1.Merchant) {
	if r.Ledger == nil {
		return
	}
	switch state := r.Ledger.State(); {
	case !state.Failing.IsZero():
		r.set(m, v1alpha1.ConditionRecorded, metav1.ConditionFalse, v1alpha1.ReasonLedgerUnavailable,
			"The ledger's database has accepted no rows since "+state.Failing.UTC().Format(time.RFC3339)+
				". Payments and refunds go on; finished Orders stay beyond their ttlSecondsAfterFinished until they are recorded. The operator's log says why")
	default:
		r.set(m, v1alpha1.ConditionRecorded, metav1.ConditionTrue, v1alpha1.ReasonRecorded, "Payments and refunds are recorded in the ledger's database")
	}
}

// readyMessage names dates, not days left, so that it does not change every day.
func (r *MerchantReconciler) readyMessage(m *v1alpha1.Merchant, acc *account.Account, now time.Time) string {
	accepted, ends := "WeChat Pay accepts the key", stopsAtExpiry(acc.CertificateUse)
	if acc.CertificateUse.IdentifiesMerchant() {
		accepted = "WeChat Pay accepts the API certificate"
		if r.CallbacksElsewhere && len(m.Spec.PublicKeys) == 0 {
			accepted += ". Callbacks are received by a process without a right to private keys, which can't verify them: name WeChat Pay's public key in spec.publicKeys"
		}
	}
	switch {
	case ends == "":
		return accepted
	case m.Spec.CertificateSecretRef == nil:
		return accepted + ". There is no client certificate, so refunds can't be made"
	case acc.Certificate == nil:
		return accepted
	}
	expires := acc.Certificate.NotAfter.Time
	date := expires.UTC().Format(time.DateOnly)
	if days, near := warnDaysBefore(expires, now); near {
		return fmt.Sprintf("%s. The client certificate expires in less than %d days, on %s: get a new one in the merchant platform, or %s", accepted, days, date, ends)
	}
	return fmt.Sprintf("%s; the client certificate is valid until %s", accepted, date)
}

// stopsAtExpiry says what stops when the certificate expires; it is empty if no call needs one.
func stopsAtExpiry(use protocols.CertificateUse) string {
	switch use {
	case protocols.CertificateForAllCalls:
		return "all calls stop then"
	case protocols.CertificateForRefunds:
		return "refunds stop then"
	default:
		return ""
	}
}

// warnOfExpiry writes an event each time the remaining days fall below one of warnDays.
func (r *MerchantReconciler) warnOfExpiry(m *v1alpha1.Merchant, acc *account.Account) {
	stops := stopsAtExpiry(acc.CertificateUse)
	if acc.Certificate == nil || stops == "" {
		return
	}
	expires := acc.Certificate.NotAfter.Time
	days, near := warnDaysBefore(expires, r.Clock.Now())
	if !near {
		days = 0
	}
	known := r.known.of(m)
	warned := known.warned
	known.warned = days
	if near && warned != days {
		r.warn(m, "CertificateExpires", "Check", "The client certificate expires in less than %d days, on %s; %s", days, expires.UTC().Format(time.DateOnly), stops)
	}
}

func warnDaysBefore(expires, now time.Time) (int, bool) {
	for _, days := range warnDays {
		if expires.Sub(now) < time.Duration(days)*24*time.Hour {
			return days, true
		}
	}
	return 0, false
}
