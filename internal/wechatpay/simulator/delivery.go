package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// acknowledgement is the only response that API v2 accepts as success, byte for byte.
const acknowledgement = `<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>`

// keptAnswer is how many bytes of a response the ledger keeps.
const keptAnswer = 1 << 10

// shopClient returns the HTTP client for callbacks, without proxies and redirects.
func shopClient(options Options) *http.Client {
	client := http.Client{}
	if options.CallbackClient != nil {
		client = *options.CallbackClient
	} else {
		client.Transport = &http.Transport{
			TLSClientConfig: options.CallbackTLSConfig, MaxIdleConnsPerHost: options.CallbackWorkers,
			IdleConnTimeout: time.Minute,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// planDelivery schedules the next attempt of a callback.
func (s *Simulator) planDelivery(c *Callback) {
	id := c.ID
	s.deliveries.at(*c.NextAttempt, func() { s.deliver(id) })
}

// delivery is a callback in delivery: one message, or the same message twice.
type delivery struct {
	notification
	protocol Protocol
	url      string
	fault    FaultKind
	copies   int
}

// takes reports whether an answer counts as success. API v3 looks at the status only.
func (d *delivery) takes(status int, body []byte) bool {
	if d.protocol == ProtocolV3 {
		return status == http.StatusOK || status == http.StatusNoContent
	}
	return status == http.StatusOK && string(body) == acknowledgement
}

// deliver makes one round of attempts.
func (s *Simulator) deliver(id string) {
	sending := s.prepareDelivery(id)
	if sending == nil {
		return
	}
	if sending.sign != nil {
		sending.sign()
	}
	attempts := make([]CallbackAttempt, sending.copies)
	var under sync.WaitGroup
	for n := range attempts {
		under.Go(func() { attempts[n] = s.attempt(sending) })
	}
	under.Wait()
	if s.servers.Context.Err() != nil {
		return // interrupted by Close: a restart sends the callback
	}
	_ = s.change(func() error { // change logs a failure of the state file
		s.concludeDelivery(s.store.callbacks[id], attempts)
		return nil
	})
}

// prepareDelivery decides what to send. If the callback was rescheduled meanwhile, its later job
// sends it.
func (s *Simulator) prepareDelivery(id string) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.store.callbacks[id]
	if c.State != CallbackPending || c.NextAttempt == nil || s.now().Before(*c.NextAttempt) {
		return nil
	}
	var fault *Fault
	if !s.delayed[id] {
		fault = s.strike(c.call(), isAnyFault)
	}
	delete(s.delayed, id)
	if fault != nil && fault.Kind == FaultDelay {
		later := s.now().Add(time.Duration(fault.DelayMillis) * time.Millisecond)
		c.NextAttempt, s.delayed[id] = &later, true
		s.planDelivery(c)
		return nil
	}
	c.NextAttempt = nil // in progress
	sending := &delivery{protocol: c.Protocol, url: c.URL, copies: 1}
	if fault != nil {
		sending.fault = fault.Kind
	}
	if sending.fault == FaultDuplicate {
		sending.copies = 2
	}
	composed, err := s.compose(c, fault)
	if err != nil { // the callback's order or refund no longer exists, so nothing will be sent
		s.logger.Error("callback can't be written", "callback", c.ID, "error", err)
		c.State = CallbackExhausted
		return nil
	}
	sending.notification = composed
	return sending
}

// attempt sends one message and evaluates the response.
func (s *Simulator) attempt(sending *delivery) CallbackAttempt {
	began := time.Now()
	made := CallbackAttempt{Time: s.now(), Fault: sending.fault}
	if sending.fault == FaultLose {
		made.Outcome = OutcomeLost
		return made
	}
	ctx, done := context.WithTimeout(s.servers.Context, s.answerTime)
	defer done()
	status, body, err := s.post(ctx, sending)
	made.TookMillis = time.Since(began).Milliseconds()
	made.Status = status
	made.Body = strings.ToValidUTF8(string(body[:min(len(body), keptAnswer)]), "�")
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		made.Outcome, made.Error = OutcomeTimeout, err.Error()
	case err != nil:
		made.Outcome, made.Error = OutcomeUnreachable, err.Error()
	case sending.takes(status, body):
		made.Outcome = OutcomeAccepted
	default:
		made.Outcome = OutcomeRefused
	}
	return made
}

func (s *Simulator) post(ctx context.Context, sending *delivery) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, sending.url, bytes.NewReader(sending.document))
	if err != nil {
		return 0, nil, err
	}
	for name, values := range sending.header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", "Mozilla/4.0")
	response, err := s.shop.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxDocument))
	return response.StatusCode, body, err
}

// concludeDelivery records the attempts and schedules the next round if none succeeded.
func (s *Simulator) concludeDelivery(c *Callback, attempts []CallbackAttempt) {
	c.Round++
	c.Attempts = append(c.Attempts, attempts...)
	delivered := false
	for _, a := range attempts {
		accepted := a.Outcome == OutcomeAccepted
		genuine := !s.tampers(c, a.Fault)
		if accepted && genuine && a.Fault != FaultIgnoreAnswer {
			delivered = true
		}
		if accepted && !genuine && slices.Contains(forgery, a.Fault) {
			s.violate(ViolationForgedCallback, c.Operation, c.MchID, c.Number, string(a.Fault))
		}
		s.logger.Debug("callback", "operation", c.Operation, "number", c.Number, "outcome", a.Outcome, "fault", a.Fault)
	}
	pauses := s.rules.callbackSchedule
	switch {
	case delivered:
		c.State, c.NextAttempt = CallbackDelivered, nil
	case c.NextAttempt != nil: // resent through the API meanwhile
	case c.Round > len(pauses):
		c.State = CallbackExhausted
	default:
		next := s.now().Add(pauses[c.Round-1])
		c.NextAttempt = &next
		s.planDelivery(c)
	}
	s.store.saveCallback(c)
}

// tampers reports whether a fault makes a message false. MD5 for an order placed with MD5 is
// genuine, and so are faults that the callback's protocol does not know, or that change a member it
// does not have.
func (s *Simulator) tampers(c *Callback, kind FaultKind) bool {
	switch {
	case kind == FaultMD5:
		o := s.store.order(c.MchID, c.Number)
		return c.Protocol == ProtocolV2 && o != nil && o.SignType != MD5
	case c.Protocol == ProtocolV2 && slices.Contains(onlyV3, kind):
		return false
	case kind == FaultWrongSubMchID:
		return s.subMchIDOf(c) != ""
	}
	return slices.Contains(tampering, kind)
}

// subMchIDOf is the sub merchant that a callback names; empty in ordinary mode.
func (s *Simulator) subMchIDOf(c *Callback) string {
	if c.Operation == OperationRefundCallback {
		if r := s.store.refund(c.MchID, c.Number); r != nil {
			return r.SubMchID
		}
	} else if o := s.store.order(c.MchID, c.Number); o != nil {
		return o.SubMchID
	}
	return ""
}

// onlyV3 are the faults of callbacks that change nothing in API v2.
var onlyV3 = []FaultKind{FaultSignTest, FaultUnknownSerial, FaultReplay, FaultWrongKey}

// call is what a fault is matched with.
func (c *Callback) call() *call {
	return &call{protocol: c.Protocol, operation: c.Operation, mchID: c.MchID, number: c.Number}
}

// resume continues the work of an earlier process: refunds in progress and undelivered callbacks.
func (s *Simulator) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.store.refundList {
		s.planSettlement(r)
	}
	for _, c := range s.store.callbackList {
		if c.State != CallbackPending {
			continue
		}
		if c.NextAttempt == nil {
			now := s.now()
			c.NextAttempt = &now
		}
		s.planDelivery(c)
	}
}
