package protocols_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

func TestWhichCallsNeedTheCertificate(t *testing.T) {
	of := func(name v1alpha1.Protocol) protocols.CertificateUse {
		return protocols.CredentialsOf(name, &v1alpha1.Merchant{}).Certificate
	}
	for name, test := range map[string]struct {
		use                       protocols.CertificateUse
		query, refund, identifies bool
	}{
		"a protocol without": {protocols.CertificateNotUsed, false, false, false},
		"V2":                 {of(v1alpha1.ProtocolV2), false, true, false},
		"V3":                 {of(v1alpha1.ProtocolV3), true, true, true},
	} {
		query, refund := test.use.NeededFor(wechatpay.OperationQueryOrder), test.use.NeededFor(wechatpay.OperationCreateRefund)
		if query != test.query || refund != test.refund || test.use.IdentifiesMerchant() != test.identifies {
			t.Errorf("%s: queries %t, refunds %t, identifies %t", name, query, refund, test.use.IdentifiesMerchant())
		}
	}
}
