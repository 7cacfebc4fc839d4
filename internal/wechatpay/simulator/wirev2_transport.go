package simulator

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
)

// callV2 is a call of API v2.
type callV2 struct {
	call
	certificate *x509.Certificate
	request     message
	// Set once the request is verified.
	signType SignType
	key      string
}

func (c *callV2) common() *call { return &c.call }

// name sets what the ledger and faults know a call by.
func (c *callV2) name() {
	c.mchID, c.subMchID = c.request["mch_id"], c.request["sub_mch_id"]
	c.order = orderRef{
		mchID: c.mchID, subMchID: c.subMchID, transactionID: c.request["transaction_id"], outTradeNo: c.request["out_trade_no"],
	}
	c.outRefundNo = c.request["out_refund_no"]
	fields := []string{"out_trade_no", "transaction_id", "bill_date"}
	if c.operation == OperationRefund || c.operation == OperationRefundQuery {
		fields = []string{"out_refund_no", "refund_id", "out_trade_no", "transaction_id"}
	}
	for _, field := range fields {
		if c.request[field] != "" {
			c.number = c.request[field]
			return
		}
	}
}

var operationsByPath = map[string]Operation{
	"/pay/unifiedorder":  OperationUnifiedOrder,
	"/pay/orderquery":    OperationOrderQuery,
	"/pay/closeorder":    OperationCloseOrder,
	"/secapi/pay/refund": OperationRefund,
	"/pay/refundquery":   OperationRefundQuery,

	"/pay/downloadbill":     OperationTradeBill,
	"/pay/downloadfundflow": OperationFundBill,
}

// needsCertificate reports whether WeChat Pay wants a client certificate for a call.
func (c *callV2) needsCertificate() bool {
	return c.operation == OperationRefund || c.operation == OperationFundBill
}

func (s *Simulator) gatewayV2(w http.ResponseWriter, r *http.Request, host Host) {
	operation, known := operationsByPath[r.URL.Path]
	if !known {
		writeHTML(w, http.StatusNotFound, "404 Not Found")
		return
	}
	c := &callV2{call: call{protocol: ProtocolV2, host: host, operation: operation}}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		c.certificate = r.TLS.PeerCertificates[0]
	}
	if c.needsCertificate() && c.certificate == nil {
		s.record(&c.call, "No required SSL certificate was sent", "")
		writeHTML(w, http.StatusBadRequest, "400 No required SSL certificate was sent")
		return
	}
	if err := s.accept(c, r); err != nil {
		s.holdRefusalAgainst(c)
		c.send(s, w, nil, err, nil)
		return
	}
	s.answer(w, r, c)
}

// accept reads and verifies a request. Errors here get an unsigned reply.
func (s *Simulator) accept(c *callV2, r *http.Request) error {
	if r.Method != http.MethodPost {
		return refuse("REQUIRE_POST_METHOD")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDocument))
	if err != nil {
		return refuse("XML_FORMAT_ERROR")
	}
	if len(body) == 0 {
		return refuse("POST_DATA_EMPTY")
	}
	c.request, err = parseXML(body, "xml")
	c.name()
	switch {
	case errors.Is(err, errNotUTF8):
		return refuse("NOT_UTF8")
	case err != nil:
		return refuse("XML_FORMAT_ERROR")
	case !mchIDFormat.MatchString(c.request["mch_id"]):
		return refuse("mch_id参数长度有误")
	case c.request["appid"] == "" || len(c.request["appid"]) > 32:
		return refuse("appid参数长度有误")
	case c.request["nonce_str"] == "" || len(c.request["nonce_str"]) > 32:
		return refuse("nonce_str参数长度有误")
	}
	return s.identify(c)
}

// identify finds the merchant and verifies certificate and signature against it.
func (s *Simulator) identify(c *callV2) error {
	s.mu.Lock()
	m := s.store.merchants[c.request["mch_id"]]
	if m != nil {
		c.key = m.APIKey
	}
	s.mu.Unlock()
	if m == nil {
		return refuse("MCHID_NOT_EXIST")
	}
	if c.needsCertificate() {
		if reason := s.ca.refuseClient(c.certificate, c.request["mch_id"], s.now()); reason != "" {
			return refuse(reason)
		}
	}
	c.merchant = m
	if c.key == "" || !isSignedBy(c.request, c.key) {
		return errSignature
	}
	c.signType, _ = signTypeOf(c.request)
	return nil
}

// perform implements wireCall.
func (c *callV2) perform(s *Simulator) (any, error) {
	if c.operation == OperationTradeBill || c.operation == OperationFundBill {
		file, err := s.billV2(c)
		return file, err
	}
	if err := c.merchant.checkParties(c.request["appid"], c.request["sub_mch_id"], c.request["sub_appid"]); err != nil {
		return nil, err
	}
	return interfacesV2[c.operation](s, c)
}

var interfacesV2 = map[Operation]func(*Simulator, *callV2) (message, error){
	OperationUnifiedOrder: (*Simulator).unifiedOrder,
	OperationOrderQuery:   (*Simulator).orderQuery,
	OperationCloseOrder:   (*Simulator).closeOrderV2,
	OperationRefund:       (*Simulator).refund,
	OperationRefundQuery:  (*Simulator).refundQuery,
}

// holdRefusalAgainst counts a call that was refused before it reached the API, if the client
// certificate proves that it was the merchant's.
func (s *Simulator) holdRefusalAgainst(c *callV2) {
	if c.merchant == nil {
		return
	}
	_ = s.change(func() error { // change logs a failure of the state file
		s.holdAgainst(&c.call, errSignature)
		return nil
	})
}
