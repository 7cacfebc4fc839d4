package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

const keyOfCertificateUse = "CertificateUseTestKey0Certificat"

// merchantWithCertificateUse returns a Merchant whose key is proven, and its Account as if its
// protocol used the certificate like this.
func merchantWithCertificateUse(t *testing.T, use protocols.CertificateUse) (*v1alpha1.Merchant, *account.Account) {
	t.Helper()
	merchant := merchantOfOneNumber("shop", true)
	merchant.Spec.AppID, merchant.Spec.SignType, merchant.Spec.APIKeySecretRef.Name = "wx1", v1alpha1.SignTypeHMACSHA256, "key"
	merchant.Status.Keys = []string{wechatpay.KeyID(keyOfCertificateUse, merchant.Spec.MchID)}
	secrets := fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "key"}, Data: map[string][]byte{"apiKey": []byte(keyOfCertificateUse)},
	}).Build()
	registry := account.NewRegistry(secrets, account.Options{NotifyBaseURL: "https://pay.example.com", EndpointHosts: hosts.MustParse(hosts.WeChats)})
	handle, err := registry.Get(t.Context(), merchant)
	if err != nil {
		t.Fatal(err)
	}
	handle.CertificateUse = use
	return merchant, handle
}

// TestCallsWithoutCertificate: what a Merchant without certificate can do, and what its status says.
func TestCallsWithoutCertificate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		use            protocols.CertificateUse
		calls, refunds bool
		ready          string
	}{
		"not used":      {protocols.CertificateNotUsed, true, true, "WeChat Pay accepts the key"},
		"for refunds":   {protocols.CertificateForRefunds, true, false, "WeChat Pay accepts the key. There is no client certificate, so refunds can't be made"},
		"for all calls": {protocols.CertificateForAllCalls, false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			merchant, handle := merchantWithCertificateUse(t, test.use)
			if problem := noCalls(merchant, handle); (problem == nil) != test.calls {
				t.Errorf("no calls are made: %+v", problem)
			}

			waiting := staleRefund("refund-0001")
			base := staleReaders(t, []client.Object{waiting}, nil)
			refunds := &RefundReconciler{Base: base}
			refunds.init()
			f := &refund{Refund: stored(t, base, waiting), order: stalePaidOrder(), merchant: merchant, account: handle}
			if end := refunds.checkCertificate(t.Context(), f); end.err != nil || end.stop == test.refunds {
				t.Errorf("%+v", end)
			}
			if missing := lifecycle.AcceptedReason(f.Refund) == v1alpha1.ReasonCertificateMissing; missing == test.refunds {
				t.Errorf("%+v", f.Status.Conditions)
			}

			merchants := &MerchantReconciler{Base: base}
			if message := merchants.readyMessage(merchant, handle, staleNow); test.calls && message != test.ready {
				t.Errorf("Ready says %q", message)
			}
		})
	}
}

// TestUselessCertificate: a certificate that expires, that is broken or that was rejected concerns only a
// protocol that uses it.
func TestUselessCertificate(t *testing.T) {
	t.Parallel()
	const untilFriday = "The client certificate expires in less than 7 days, on 2026-11-27"
	for name, test := range map[string]struct {
		use                protocols.CertificateUse
		ready              string
		warned             bool
		ofBroken, rejected string
	}{
		"not used": {
			use: protocols.CertificateNotUsed, ready: "WeChat Pay accepts the key", ofBroken: v1alpha1.ReasonReady,
		},
		"for refunds": {
			use: protocols.CertificateForRefunds, warned: true, ofBroken: v1alpha1.ReasonCertificateExpired, rejected: "rejected before",
			ready: "WeChat Pay accepts the key. " + untilFriday + ": get a new one in the merchant platform, or refunds stop then",
		},
		"for all calls": {
			use: protocols.CertificateForAllCalls, warned: true, ofBroken: v1alpha1.ReasonCertificateExpired,
			ready: "WeChat Pay accepts the API certificate. " + untilFriday + ": get a new one in the merchant platform, or all calls stop then",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			merchant, handle := merchantWithCertificateUse(t, test.use)
			merchant.Spec.CertificateSecretRef = &v1alpha1.SecretReference{Name: "certificate"}
			handle.HasCertificate, handle.Certificate = true, &v1alpha1.MerchantCertificate{SerialNumber: "AB", NotAfter: new(metav1.NewTime(staleNow.Add(6 * 24 * time.Hour)))}
			recorder := events.NewFakeRecorder(10)
			r := &MerchantReconciler{Base: staleReaders(t, nil, nil)}
			r.Recorder = recorder
			r.init()
			if message := r.readyMessage(merchant, handle, staleNow); message != test.ready {
				t.Errorf("Ready says %q", message)
			}
			r.warnOfExpiry(merchant, handle)
			if warned := len(recorder.Events) > 0; warned != test.warned {
				t.Errorf("warned: %t", warned)
			}

			merchant.Status.Certificate = handle.Certificate
			merchant.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCertificateRejected, Message: "rejected before",
			}}
			if message, rejected := certificateRejected(merchant, handle); message != test.rejected || rejected != (test.rejected != "") {
				t.Errorf("rejected: %q", message)
			}

			handle.HasCertificate, handle.CertificateProblem = false, &account.Problem{Reason: v1alpha1.ReasonCertificateExpired, Message: "expired"}
			r.known.of(merchant).probe = &probe{version: handle.Version, at: staleNow, accepted: true}
			if _, reason, message := r.checkCredentials(t.Context(), merchant, handle); reason != test.ofBroken {
				t.Errorf("with a broken one the Merchant is %s: %s", reason, message)
			}
		})
	}
}

// TestWhatWeChatRecognisesTheMerchantBy is the certificate only where every call needs it.
func TestWhatWeChatRecognisesTheMerchantBy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		use      protocols.CertificateUse
		protocol v1alpha1.Protocol
		want     [2]string
	}{
		"key of V2":      {protocols.CertificateForRefunds, v1alpha1.ProtocolV2, [2]string{"API key", "key"}},
		"key of another": {protocols.CertificateNotUsed, v1alpha1.ProtocolV3, [2]string{"API key", "v3-key"}},
		"certificate":    {protocols.CertificateForAllCalls, v1alpha1.ProtocolV3, [2]string{"API certificate", "certificate"}},
	} {
		merchant, handle := merchantWithCertificateUse(t, test.use)
		merchant.Spec.APIV3KeySecretRef.Name, merchant.Spec.CertificateSecretRef = "v3-key", &v1alpha1.SecretReference{Name: "certificate"}
		handle.Protocol = test.protocol
		if got := [2]string{credentialName(handle), credentialSecret(merchant, handle)}; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
