package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// probe is the result of the last query with a Merchant's key.
type probe struct {
	// version of the credentials that were probed.
	version  string
	at       time.Time
	accepted bool
}

// checkCredentials reports whether the key, the certificate and what WeChat's answers are verified
// with are in order.
func (r *MerchantReconciler) checkCredentials(ctx context.Context, m *v1alpha1.Merchant, acc *account.Account) (metav1.ConditionStatus, string, string) {
	if problem := noCalls(m, acc); problem != nil {
		return metav1.ConditionFalse, problem.Reason, problem.Message
	}
	status, reason, message := r.checkKey(ctx, m, acc)
	if status != metav1.ConditionTrue {
		return status, reason, message
	}
	if problem := acc.CertificateProblem; problem != nil && acc.LacksCertificateFor(wechatpay.OperationCreateRefund) {
		return metav1.ConditionFalse, problem.Reason, problem.Message
	}
	if refusal, rejected := certificateRejected(m, acc); rejected {
		return metav1.ConditionFalse, v1alpha1.ReasonCertificateRejected, refusal
	}
	if acc.HasKeyMismatch() {
		return metav1.ConditionFalse, protocols.CredentialsOf(acc.Protocol, m).InvalidKey, keyMismatchMessage(m, acc, callbacksUnopened)
	}
	return status, reason, message
}

// checkKey reports whether WeChat accepts the key. It probes when the credentials have changed,
// when an ordinary call was rejected because of them, and periodically while they are rejected;
// otherwise it returns the last result.
func (r *MerchantReconciler) checkKey(ctx context.Context, m *v1alpha1.Merchant, acc *account.Account) (metav1.ConditionStatus, string, string) {
	now := r.Clock.Now()
	last := r.known.of(m).probe
	current := last != nil && last.version == acc.Version
	if current && last.accepted && acc.Proven() && !acc.CredentialsSuspect() {
		return metav1.ConditionTrue, v1alpha1.ReasonReady, r.readyMessage(m, acc, now)
	}
	if current && !last.accepted && now.Sub(last.at) < r.rejectedProbeInterval(acc) {
		acc.Reject() // a rejected key that was set again
		if status, reason, message := readyCondition(m); reason == v1alpha1.ReasonCredentialsRejected {
			return status, reason, message
		}
		return metav1.ConditionFalse, v1alpha1.ReasonCredentialsRejected, fmt.Sprintf(
			"WeChat Pay rejected the %s in Secret %s/%s when it was last tried; the operator tries it again every %s", credentialName(acc), m.Namespace, credentialSecret(m, acc), r.Timing.ProbeRejected)
	}
	err := r.probe(ctx, m, acc)
	switch {
	case err == nil:
		acc.CredentialsProven()
		r.known.of(m).probe = &probe{version: acc.Version, at: now, accepted: true}
		return metav1.ConditionTrue, v1alpha1.ReasonReady, r.readyMessage(m, acc, now)
	case wechatpay.MeaningOf(err) == wechatpay.CredentialsRejected && !clockBreaksCalls(acc):
		acc.Reject()
		r.known.of(m).probe = &probe{version: acc.Version, at: now}
		return metav1.ConditionFalse, v1alpha1.ReasonCredentialsRejected, rejectedMessage(m, acc, err, r.Timing.ProbeRejected)
	default:
		r.logConcealed(ctx, m, err)
		if reason, message := notVerified(m, acc, err); reason != "" {
			return metav1.ConditionFalse, reason, message
		}
		return unreachable(m, acc, err)
	}
}

// rejectedProbeInterval returns how long a rejected key is not probed again. A callback signed with
// it suggests that WeChat has the key by now.
func (r *MerchantReconciler) rejectedProbeInterval(acc *account.Account) time.Duration {
	if acc.HasUnprovenCallback() {
		return min(r.Timing.SecretsCheck, r.Timing.ProbeRejected)
	}
	return r.Timing.ProbeRejected
}

// probeNumber can't be the number of an order: names of Orders have no capital letters, and no shop
// has a reason to choose it.
const probeNumber = "WECHATPAY-OPERATOR-PROBE"

// probe queries an order that can't exist. Any signed answer proves the key, and in some protocols an
// unsigned one does.
func (r *MerchantReconciler) probe(ctx context.Context, m *v1alpha1.Merchant, acc *account.Account) error {
	_, err := acc.QueryOrder(ctx, wechatpay.OrderRef{OutTradeNo: probeNumber, AppID: m.Spec.AppID})
	if acc.AcceptedUnsigned(err) {
		return nil
	}
	if wechatpay.OutcomeOf(err) == wechatpay.Failed && wechatpay.MeaningOf(err) != wechatpay.CredentialsRejected && wechatpay.MeaningOf(err) != wechatpay.SlowDown {
		return nil
	}
	return err
}

// logConcealed logs for the operator's administrators what the Merchant's status does not show: the
// problem of a host that never gave a verified answer. It logs the same problem once.
func (r *MerchantReconciler) logConcealed(ctx context.Context, m *v1alpha1.Merchant, err error) {
	concealed, ok := errors.AsType[*wechatpay.ConcealedError](err)
	if !ok {
		return
	}
	problem, known := concealed.Cause.Error(), r.known.of(m)
	if known.loggedProblem != problem {
		known.loggedProblem = problem
		r.log(ctx).Info("The endpoint of a Merchant has not given an answer yet that could be verified", "merchant", klog.KObj(m), "problem", problem)
	}
}

// unreachable leaves Ready unchanged: an unreachable WeChat says nothing about the key. This holds
// only for a key that was accepted or rejected at this endpoint; about any other nothing is known.
func unreachable(m *v1alpha1.Merchant, acc *account.Account, err error) (metav1.ConditionStatus, string, string) {
	unchanged := m.Status.KeysEndpoint == "" || acc.KeyProven(m)
	switch status, reason, message := readyCondition(m); {
	case reason == v1alpha1.ReasonCredentialsRejected,
		unchanged && (reason == v1alpha1.ReasonReady || reason == v1alpha1.ReasonCertificateRejected):
		return status, reason, message
	}
	message := fmt.Sprintf("Whether WeChat Pay accepts the key is not known yet; it is checked again automatically. %v", err)
	if wechatpay.MeaningOf(err) == wechatpay.NeedsAttention {
		message += ". Compare spec.mchID, spec.appID and spec.partner with the merchant platform: a service provider's number needs spec.partner, and no other number may have it"
	}
	return metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, message
}
