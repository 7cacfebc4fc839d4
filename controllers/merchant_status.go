package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// warnDays are the days before the certificate's expiry at which a warning is written.
var warnDays = []int{7, 30, 60}

// show writes the status, and schedules the next read of the Secrets.
func (r *MerchantReconciler) show(ctx context.Context, m *v1alpha1.Merchant, handle *account.Account, status metav1.ConditionStatus, reason, message string) progress {
	before := readyReason(m)
	message = r.withRefusal(m, r.withDeletion(m, message))
	allowed, why, pauses := callsAllowed(handle)
	guarded, wasGuarded := r.refundsGuarded(ctx, m), statusOfCondition(m, v1alpha1.ConditionRefundsGuarded)
	callbacks, tested := r.Callbacks.get(m)
	var callbacksBefore metav1.Condition
	if shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable); shown != nil {
		callbacksBefore = *shown
	}
	err := record(ctx, &r.Base, m, func(m *v1alpha1.Merchant) {
		r.set(m, v1alpha1.ConditionReady, status, reason, message)
		r.set(m, v1alpha1.ConditionCallsAllowed, allowed, why, pauses)
		r.set(m, v1alpha1.ConditionRefundsGuarded, guarded.Status, guarded.Reason, guarded.Message)
		if tested {
			callbacks.LastTransitionTime = metav1.NewTime(r.Clock.Now())
			meta.SetStatusCondition(&m.Status.Conditions, callbacks)
		}
		if handle != nil {
			m.Status.Certificate = handle.Certificate
			m.Status.Keys, m.Status.KeysEndpoint = handle.ProvenKeys(m)
		}
	})
	if err != nil {
		return stoppedBy(err)
	}
	if status == metav1.ConditionFalse && before != reason {
		r.warn(m, reason, "Check", "%s", message)
	}
	r.reportGuard(m, wasGuarded, guarded)
	if tested {
		r.reportCallbacks(m, callbacksBefore, callbacks)
	}
	return again(r.Timing.SecretsCheck)
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
	if shown := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); shown != nil {
		return shown.Status, shown.Reason, shown.Message
	}
	return metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, "Whether WeChat Pay accepts the key is not known yet"
}

// readyMessage names dates, not days left, so that it does not change every day.
func readyMessage(m *v1alpha1.Merchant, handle *account.Account, now time.Time) string {
	switch {
	case m.Spec.CertificateSecretRef == nil:
		return "WeChat Pay accepts the key. There is no client certificate, so refunds can't be made"
	case handle.Certificate == nil:
		return "WeChat Pay accepts the key"
	}
	expires := handle.Certificate.NotAfter.Time
	date := expires.UTC().Format(time.DateOnly)
	if days, near := warnDaysBefore(expires, now); near {
		return fmt.Sprintf("WeChat Pay accepts the key. The client certificate expires in less than %d days, on %s: get a new one in the merchant platform, or refunds stop then", days, date)
	}
	return fmt.Sprintf("WeChat Pay accepts the key; the client certificate is valid until %s", date)
}

// warnOfExpiry writes an event each time the remaining days fall below one of warnDays.
func (r *MerchantReconciler) warnOfExpiry(m *v1alpha1.Merchant, handle *account.Account) {
	if handle.Certificate == nil {
		return
	}
	expires := handle.Certificate.NotAfter.Time
	days, near := warnDaysBefore(expires, r.Clock.Now())
	if !near {
		days = 0
	}
	r.mutex.Lock()
	known := r.remember(m)
	lastWarned := known.warned
	known.warned = days
	r.mutex.Unlock()
	if near && lastWarned != days {
		r.warn(m, "CertificateExpires", "Check", "The client certificate expires in less than %d days, on %s; refunds stop then", days, expires.UTC().Format(time.DateOnly))
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
