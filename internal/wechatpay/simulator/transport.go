package simulator

import (
	"net/http"
	"strings"
)

// call is one API call in progress, as far as it does not depend on the protocol.
type call struct {
	protocol  Protocol
	host      Host
	operation Operation
	mchID     string
	subMchID  string
	// number identifies the call in the ledger and for faults.
	number string
	// order and outRefundNo are what a refund call is about.
	order       orderRef
	outRefundNo string
	// merchant is set once the request is verified.
	merchant *merchant
	// fault is what strikes the reply; nil if nothing does.
	fault *Fault
}

// wireCall is a call in its protocol.
type wireCall interface {
	common() *call
	// perform does what the call asks for. The caller holds the lock.
	perform(s *Simulator) (result any, err error)
	// send answers with a result or an error, damaged if a fault requires it.
	send(s *Simulator, w http.ResponseWriter, result any, err error, f *Fault)
}

// gateway handles the requests to a host: API v3 under /v3/, API v2 elsewhere.
func (s *Simulator) gateway(host Host) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v3/") {
			s.gatewayV3(w, r, host)
			return
		}
		s.gatewayV2(w, r, host)
	})
}

// answer performs a verified call and replies, subject to faults.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, c wireCall) {
	fault := s.strike(c.common(), isReplyFault)
	c.common().fault = fault
	if fault != nil && !fault.AfterEffect && s.interrupt(w, r, c, fault) {
		return
	}
	result, err := s.perform(c)
	if fault != nil && fault.AfterEffect && s.interrupt(w, r, c, fault) {
		return
	}
	c.send(s, w, result, err, fault)
}

// perform calls the API, and counts the failures that WeChat Pay counts.
func (s *Simulator) perform(c wireCall) (result any, err error) {
	failed := s.change(func() error {
		s.settleDue()
		result, err = c.perform(s)
		s.holdAgainst(c.common(), err)
		return nil
	})
	if failed != nil {
		return nil, errSystem
	}
	return result, err
}

// record adds a call to the ledger before its reply is sent.
func (s *Simulator) record(c *call, outcome string, fault FaultKind) {
	entry := Call{
		Time: s.now(), Host: c.host, Protocol: c.protocol, Operation: c.operation, MchID: c.mchID, SubMchID: c.subMchID,
		Number: c.number, Outcome: outcome, Fault: fault,
	}
	_ = s.change(func() error { // change logs a failure of the state file
		s.store.addCall(entry)
		return nil
	})
	s.logger.Debug("call", "host", c.host, "protocol", c.protocol, "operation", c.operation, "merchant", entry.MchID,
		"number", entry.Number, "outcome", outcome, "fault", fault)
}
