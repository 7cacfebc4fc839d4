package chaos_test

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// everyProtocol makes every flow in both protocols.
const everyProtocol = "all"

// speaking gives each flow its protocol. A flow of V3 has it in its name, so that its runs can be
// repeated.
func speaking(flows []*flow, seed uint64, wanted string) []*flow {
	var chosen []*flow
	for _, f := range flows {
		drawn := []v1alpha1.Protocol{v1alpha1.ProtocolV2, v1alpha1.ProtocolV3}[sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, f.name))[0]&1]
		for _, protocol := range []v1alpha1.Protocol{v1alpha1.ProtocolV2, v1alpha1.ProtocolV3} {
			isWanted := wanted == everyProtocol || wanted == string(protocol) || wanted == "" && (f.protocol != "" || drawn == protocol)
			if !isWanted || f.protocol != "" && f.protocol != protocol {
				continue
			}
			its := *f
			if its.protocol = protocol; f.protocol == "" && protocol == v1alpha1.ProtocolV3 {
				its.name += ", V3"
			}
			if its.verification == "" {
				its.verification = simulator.VerifyByPublicKey
			}
			chosen = append(chosen, &its)
		}
	}
	return chosen
}

// protocolFlows are about the protocol itself, or about what only one has.
func protocolFlows() []*flow {
	automatic := func(s *v1alpha1.MerchantSpec) { s.RefundApproval = v1alpha1.RefundApprovalAutomatic }
	bilingual := stage{what: "create a merchant of both protocols", do: func(w *world) {
		w.createMerchant(home, automatic, func(s *v1alpha1.MerchantSpec) {
			speakV3(w, s)
			s.Protocol = w.flow.protocol
			s.APIKeySecretRef = v1alpha1.SecretKeyReference{Name: keySecret}
		})
	}, until: merchantIs(true)}
	byCertificate := newMerchant(automatic, func(s *v1alpha1.MerchantSpec) { s.PublicKeys = nil })
	thenRefund := []stage{aRefund(firstRefund, 50), until(refunded(firstRefund))}
	v2, v3 := v1alpha1.ProtocolV2, v1alpha1.ProtocolV3
	return []*flow{
		{name: "from V2 to V3 while an order is open", protocol: v2, payable: true,
			stages: given(bilingual, anOrder()).and(append([]stage{speak(v3), pay()}, thenRefund...)...)},
		{name: "from V3 to V2 while an order is open", protocol: v3, payable: true,
			stages: given(bilingual, anOrder()).and(append([]stage{speak(v2), pay()}, thenRefund...)...)},
		{name: "from V2 to V3 while an order is in doubt", protocol: v2, payable: true, alike: inWhateverWords,
			stages: given(bilingual).and(inDoubtOrPrepared(), speak(v3), until(prepared), pay())},
		{name: "from V3 to V2 while an order is in doubt", protocol: v3, payable: true, alike: inWhateverWords,
			stages: given(bilingual).and(inDoubtOrPrepared(), speak(v2), until(prepared), pay())},
		{name: "from V2 to V3 while an order is closed", protocol: v2, payable: true,
			stages: given(bilingual, anOrder()).and(fresh(wish("Closed")), speak(v3), until(finished))},
		{name: "from V3 to V2 while a refund is under way", protocol: v3, alike: inWhateverWords,
			stages: given(bilingual, anOrder(), pay()).and(aRefund(firstRefund, 50), until(requested), speak(v2), until(refunded(firstRefund)))},
		{name: "from V2 to V3 while a refund is under way", protocol: v2, alike: inWhateverWords,
			stages: given(bilingual, anOrder(), pay()).and(aRefund(firstRefund, 50), until(requested), speak(v3), until(refunded(firstRefund)))},
		{name: "new APIv3 key, first at WeChat", protocol: v3, stages: given(newMerchant(automatic), anOrder()).
			and(append([]stage{v3KeyAtWeChat(nextKey), payWith("the payer pays", simulator.PayOptions{}, now), v3KeyInSecret(nextKey, apiV3Key), until(paid)}, thenRefund...)...)},
		{name: "new APIv3 key, first in the Secret", protocol: v3, stages: given(newMerchant(automatic), anOrder()).
			and(append([]stage{v3KeyInSecret(nextKey, apiV3Key), pay(), v3KeyAtWeChat(nextKey)}, thenRefund...)...)},
		{name: "a platform certificate is rotated", protocol: v3, verification: simulator.VerifyByCertificate,
			stages: given(byCertificate, anOrder()).and(append([]stage{rotateCertificate(), pay()}, thenRefund...)...)},
		{name: "from certificates to the public key", protocol: v3, verification: simulator.VerifyByCertificate,
			stages: given(byCertificate, anOrder()).and(append([]stage{
				verifyBy(simulator.VerifyMigrating), payWith("the payer pays", simulator.PayOptions{}, now), namePublicKey(), until(paid), verifyBy(simulator.VerifyByPublicKey),
			}, thenRefund...)...)},
		{name: "WeChat's clock is ahead for a while", protocol: v3, stages: given(newMerchant(automatic), anOrder()).
			and(append([]stage{clockAhead(6 * time.Minute), payWith("the payer pays", simulator.PayOptions{}, merchantIs(false)), clockAhead(0), until(paid)}, thenRefund...)...)},
	}
}

// inWhateverWords ignores in which protocol an order or a refund was made: that depends on whether
// an earlier call arrived.
func inWhateverWords(end string) string { return parametersOfEnd.ReplaceAllString(end, "$1") }

var parametersOfEnd = regexp.MustCompile(`(?m)^((?:order|refund) \S+ \S+).*$`)

// speakV3 gives a Merchant the credentials of V3.
func speakV3(w *world, s *v1alpha1.MerchantSpec) {
	s.APIV3KeySecretRef = v1alpha1.APIV3KeyReference{Name: keySecret}
	s.PublicKeys = []v1alpha1.PublicKey{{ID: w.suite.platform.PublicKeyID, PEM: w.suite.platform.PublicKeyPEM}}
}

// speak changes the Merchant's protocol.
func speak(protocol v1alpha1.Protocol) stage {
	return stage{what: "the protocol becomes " + string(protocol), until: now, do: func(w *world) {
		w.edit(key{kindMerchant, merchantName, home}, "", fmt.Sprintf(`{"spec":{"protocol":%q}}`, protocol))
	}}
}

// v3KeyAtWeChat resets the APIv3 key in the merchant platform.
func v3KeyAtWeChat(value string) stage {
	return stage{what: "the APIv3 key changes at WeChat", instant: true, do: func(w *world) { w.must(w.sim.SetAPIV3Key(mchID, value)) }}
}

func v3KeyInSecret(value, previous string) stage {
	return stage{what: "the APIv3 key changes in the Secret", instant: true, do: func(w *world) { w.writeSecret("apiV3Key", value, previous) }}
}

// rotateCertificate makes WeChat Pay sign with a new certificate from now on.
func rotateCertificate() stage {
	return stage{what: "a platform certificate is rotated", until: now, do: func(w *world) {
		before := w.sim.Platform()
		added, err := w.sim.AddPlatformCertificate()
		w.must(err)
		w.must(w.sim.SignWithPlatformCertificates(added.SerialNo))
		for _, old := range before.Certificates {
			w.must(w.sim.RemovePlatformCertificate(old.SerialNo))
		}
	}}
}

// verifyBy changes how WeChat Pay signs. While it migrates, the public key signs every callback.
func verifyBy(verification simulator.Verification) stage {
	return stage{what: "WeChat verifies by " + string(verification), until: now, do: func(w *world) {
		w.must(w.sim.SetVerification(mchID, verification, 1))
	}}
}

func namePublicKey() stage {
	return stage{what: "the merchant names the public key", instant: true, do: func(w *world) {
		w.edit(key{kindMerchant, merchantName, home}, "", fmt.Sprintf(`{"spec":{"publicKeys":[{"id":%q,"pem":%q}]}}`,
			w.suite.platform.PublicKeyID, w.suite.platform.PublicKeyPEM))
	}}
}

func clockAhead(skew time.Duration) stage {
	return stage{what: "WeChat's clock is ahead by " + skew.String(), instant: true, do: func(w *world) { w.sim.SetClockSkew(skew) }}
}
