package simulator

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// call is one API call in progress.
type call struct {
	host        Host
	operation   Operation
	certificate *x509.Certificate
	request     message
	// Set once the request is verified.
	merchant *merchant
	signType SignType
	key      string
}

// number returns the number that identifies a call in the ledger and for faults.
func (c *call) number() string {
	fields := []string{"out_trade_no", "transaction_id"}
	if c.operation == OperationRefund || c.operation == OperationRefundQuery {
		fields = []string{"out_refund_no", "refund_id", "out_trade_no", "transaction_id"}
	}
	for _, field := range fields {
		if c.request[field] != "" {
			return c.request[field]
		}
	}
	return ""
}

var operationsByPath = map[string]Operation{
	"/pay/unifiedorder":  OperationUnifiedOrder,
	"/pay/orderquery":    OperationOrderQuery,
	"/pay/closeorder":    OperationCloseOrder,
	"/secapi/pay/refund": OperationRefund,
	"/pay/refundquery":   OperationRefundQuery,
}

// gateway handles the requests to a host.
func (s *Simulator) gateway(host Host) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		operation, known := operationsByPath[r.URL.Path]
		if !known {
			writeHTML(w, http.StatusNotFound, "404 Not Found")
			return
		}
		c := &call{host: host, operation: operation}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			c.certificate = r.TLS.PeerCertificates[0]
		}
		if operation == OperationRefund && c.certificate == nil {
			s.record(c, "No required SSL certificate was sent", "")
			writeHTML(w, http.StatusBadRequest, "400 No required SSL certificate was sent")
			return
		}
		if err := s.accept(c, r); err != nil {
			s.holdRefusalAgainst(c)
			s.send(w, c, draftOf(c, nil, err), nil)
			return
		}
		s.answer(w, r, c)
	})
}

// accept reads and verifies a request. Errors here get an unsigned reply.
func (s *Simulator) accept(c *call, r *http.Request) error {
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
func (s *Simulator) identify(c *call) error {
	s.mu.Lock()
	m := s.store.merchants[c.request["mch_id"]]
	if m != nil {
		c.key = m.APIKey
	}
	s.mu.Unlock()
	if m == nil {
		return refuse("MCHID_NOT_EXIST")
	}
	if c.operation == OperationRefund {
		if reason := s.ca.refuseClient(c.certificate, c.request["mch_id"], s.now()); reason != "" {
			return refuse(reason)
		}
	}
	c.merchant = m
	if !isSignedBy(c.request, c.key) {
		return errSignature
	}
	c.signType, _ = signTypeOf(c.request)
	return nil
}

// answer performs a verified call and replies, subject to faults.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, c *call) {
	fault := s.strike(c, isReplyFault)
	if fault != nil && !fault.AfterEffect && s.interrupt(w, r, c, fault) {
		return
	}
	fields, err := s.perform(c)
	if fault != nil && fault.AfterEffect && s.interrupt(w, r, c, fault) {
		return
	}
	s.send(w, c, draftOf(c, fields, err), fault)
}

// perform calls the API, and counts the failures that WeChat Pay counts.
func (s *Simulator) perform(c *call) (fields message, err error) {
	failed := s.change(func() error {
		s.settleDue()
		if !slices.Contains(c.merchant.AppIDs, c.request["appid"]) {
			err = fail("APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
		} else {
			fields, err = interfaces[c.operation](s, c)
		}
		s.holdAgainst(c, err)
		return nil
	})
	if failed != nil {
		return nil, fail("SYSTEMERROR", "系统错误")
	}
	return fields, err
}

var interfaces = map[Operation]func(*Simulator, *call) (message, error){
	OperationUnifiedOrder: (*Simulator).unifiedOrder,
	OperationOrderQuery:   (*Simulator).orderQuery,
	OperationCloseOrder:   (*Simulator).closeOrder,
	OperationRefund:       (*Simulator).refund,
	OperationRefundQuery:  (*Simulator).refundQuery,
}

// record adds a call to the ledger before its reply is sent.
func (s *Simulator) record(c *call, outcome string, fault FaultKind) {
	entry := Call{
		Time: s.now(), Host: c.host, Operation: c.operation, MchID: c.request["mch_id"], Number: c.number(),
		Outcome: outcome, Fault: fault,
	}
	_ = s.change(func() error { // change logs a failure of the state file
		s.store.addCall(entry)
		return nil
	})
	s.logger.Debug("call", "host", c.host, "operation", c.operation, "merchant", entry.MchID, "number", entry.Number,
		"outcome", outcome, "fault", fault)
}

// wait waits until the time has passed, the client disconnects or the simulator closes. In real
// time: faults are not scaled.
func (s *Simulator) wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
