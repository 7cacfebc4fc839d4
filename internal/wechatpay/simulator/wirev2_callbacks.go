package simulator

import (
	"fmt"
	"net/http"
)

func (s *Simulator) composeV2(c *Callback, m *merchant, f *Fault) (notification, error) {
	key := m.APIKey
	if f.kind() == FaultForge {
		key = randomText(32)
	}
	write := s.composePayment
	if c.Operation == OperationRefundCallback {
		write = s.composeRefund
	}
	document, err := write(c, f, key)
	return notification{header: http.Header{"Content-Type": {"text/xml"}}, document: document}, err
}

// composePayment signs with the order's sign type. The message has no sign_type, not even for
// HMAC-SHA256.
func (s *Simulator) composePayment(c *Callback, f *Fault, key string) ([]byte, error) {
	o := s.store.order(c.MchID, c.Number)
	if o == nil || o.Payment == nil {
		return nil, fmt.Errorf("paid order %s: %w", c.Number, ErrNotFound)
	}
	fields := paymentFields(o)
	fields["return_code"], fields["result_code"] = "SUCCESS", "SUCCESS"
	fields["appid"], fields["mch_id"], fields["version"] = o.AppID, o.MchID, o.Params["version"]
	fields["sub_appid"], fields["sub_mch_id"] = o.SubAppID, o.SubMchID
	signType := o.SignType
	switch f.kind() {
	case FaultWrongAmount:
		fields["total_fee"] = formatInt(o.Payment.TotalFee + 1)
	case FaultWrongCurrency:
		fields["fee_type"] = "USD"
		if o.Payment.FeeType == "USD" {
			fields["fee_type"] = "CNY"
		}
	case FaultWrongMchID:
		fields["mch_id"] = foreignMchID
	case FaultWrongSubMchID:
		fields["sub_mch_id"] = foreignMchID
	case FaultMD5:
		signType = MD5
	case FaultExtraFields:
		addExtraFields(fields, f)
	}
	fields = signed(fields, key, signType)
	if f.kind() == FaultUnsigned {
		delete(fields, "sign")
	}
	return formatXML(fields, "xml"), nil
}

// composeRefund encrypts the refund information and signs nothing.
func (s *Simulator) composeRefund(c *Callback, f *Fault, key string) ([]byte, error) {
	r := s.store.refund(c.MchID, c.Number)
	if r == nil {
		return nil, fmt.Errorf("refund %s: %w", c.Number, ErrNotFound)
	}
	info, mchID, subMchID := refundInfo(r, c.RefundStatus, r.SuccessTime), r.MchID, r.SubMchID
	switch f.kind() {
	case FaultWrongAmount:
		info["refund_fee"] = formatInt(r.RefundFee + 1)
	case FaultWrongMchID:
		mchID = foreignMchID
	case FaultWrongSubMchID:
		subMchID = foreignMchID
	case FaultExtraFields:
		addExtraFields(info, f)
	}
	return refundDocument(message{
		"appid": r.AppID, "mch_id": mchID, "sub_appid": r.SubAppID, "sub_mch_id": subMchID,
	}, info, key)
}
