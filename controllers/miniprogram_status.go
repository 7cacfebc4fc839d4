package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
)

// readiness returns the condition Ready after WeChat was asked.
func readiness(m *v1alpha1.MiniProgram, managed bool, err error) metav1.Condition {
	if err == nil && managed {
		return ready(v1alpha1.ReasonReady, "WeChat accepted the AppSecret, and holds the money of payments in this mini program until their shipping is reported")
	}
	if err == nil {
		return ready(v1alpha1.ReasonTradeNotManaged, "WeChat accepted the AppSecret. It does not manage the trade of this mini program, so no Shipments are needed")
	}
	secret := m.Namespace + "/" + m.Spec.AppSecretRef.Name
	switch weixin.AsError(err).Meaning {
	case weixin.CredentialsRejected:
		return notReady(v1alpha1.ReasonCredentialsRejected, fmt.Sprintf(
			"WeChat does not accept spec.appID with the AppSecret in Secret %s: %v. Compare both with mp.weixin.qq.com (开发管理), and write the current AppSecret into the Secret", secret, err))
	case weixin.AddressNotAllowed:
		return notReady(v1alpha1.ReasonAddressNotAllowed, fmt.Sprintf(
			"WeChat issues no access token to the address that the operator calls from: %v. Add this address to the allow-list (IP白名单) of the mini program in mp.weixin.qq.com", err))
	case weixin.QuotaExhausted:
		return notReady(v1alpha1.ReasonQuotaExhausted, fmt.Sprintf(
			"The calls of this mini program are used up for today: %v. Find the program that fetches access tokens in a loop, or clear the quota in mp.weixin.qq.com", err))
	case weixin.NeedsAttention, weixin.Rejected:
		return notReady(v1alpha1.ReasonRefused, fmt.Sprintf("WeChat refuses the queries about this mini program: %v. The operator asks again automatically", err))
	}
	before := lifecycle.Condition(m.Status.Conditions, v1alpha1.ConditionReady)
	if before.Status == metav1.ConditionTrue {
		return before // WeChat being away says nothing about the credentials
	}
	return condition(metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, fmt.Sprintf("Whether WeChat accepts the AppSecret is not known yet: %v. The operator asks again automatically", err))
}

func ready(reason, message string) metav1.Condition {
	return condition(metav1.ConditionTrue, reason, message)
}

func notReady(reason, message string) metav1.Condition {
	return condition(metav1.ConditionFalse, reason, message)
}

func condition(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: text.AtMost(mostError, message)}
}

// waitAfter returns when WeChat is asked again.
func (r *MiniProgramReconciler) waitAfter(m *v1alpha1.MiniProgram, err error) time.Duration {
	if err == nil {
		r.retries.forget(m.UID)
		return r.Timing.MiniProgramCheck
	}
	switch weixin.AsError(err).Meaning {
	case weixin.Repeat, weixin.SlowDown, weixin.TokenRejected:
		return r.retries.next(m.UID)
	default:
		return r.Timing.ProbeRejected
	}
}

// show writes the condition if it changed.
func (r *MiniProgramReconciler) show(ctx context.Context, m *v1alpha1.MiniProgram, shown metav1.Condition, wait time.Duration) progress {
	change := func(m *v1alpha1.MiniProgram) {
		shown.ObservedGeneration, shown.LastTransitionTime = m.Generation, metav1.NewTime(r.Clock.Now())
		meta.SetStatusCondition(&m.Status.Conditions, shown)
	}
	before := lifecycle.Condition(m.Status.Conditions, v1alpha1.ConditionReady).Reason
	if err := record(ctx, &r.Base, m, change); err != nil {
		return stoppedBy(err)
	}
	if shown.Status == metav1.ConditionFalse && shown.Reason != before {
		r.warn(m, shown.Reason, "Check", "%s", shown.Message)
	}
	return again(wait)
}
