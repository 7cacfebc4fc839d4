package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// Operation names an API of WeChat.
type Operation string

// The operations.
const (
	OperationSession     Operation = "jscode2session"
	OperationOAuth2      Operation = "oauth2"
	OperationToken       Operation = "stable_token"
	OperationUpload      Operation = "upload_shipping_info"
	OperationGetOrder    Operation = "get_order"
	OperationManaged     Operation = "is_trade_managed"
	OperationSendMessage Operation = "subscribe_send"
)

// maxBody is more than any of these calls needs.
const maxBody = 64 << 10

// apiHandler answers as api.weixin.qq.com does: status 200 and an errcode.
func (s *Simulator) apiHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/sns/jscode2session", s.get(OperationSession, s.codeToSession))
	mux.Handle("/sns/oauth2/access_token", s.get(OperationOAuth2, s.codeToGrant))
	mux.Handle("/cgi-bin/stable_token", s.post(OperationToken, s.stableToken))
	mux.Handle("/wxa/sec/order/upload_shipping_info", s.authorized(OperationUpload, s.upload))
	mux.Handle("/wxa/sec/order/get_order", s.authorized(OperationGetOrder, s.getOrder))
	mux.Handle("/wxa/sec/order/is_trade_managed", s.authorized(OperationManaged, s.isTradeManaged))
	mux.Handle("/cgi-bin/message/subscribe/send", s.authorized(OperationSendMessage, s.sendMessage))
	return mux
}

func (s *Simulator) get(operation Operation, action func(url.Values, *Call) (any, error)) http.Handler {
	return s.handle(operation, func(r *http.Request, _ []byte, noted *Call) (any, error) {
		if r.Method != http.MethodGet {
			return nil, refuse(CodeWantsGET, "require GET method")
		}
		return action(r.URL.Query(), noted)
	})
}

func (s *Simulator) post(operation Operation, action func(*http.Request, []byte, *Call) (any, error)) http.Handler {
	return s.handle(operation, func(r *http.Request, body []byte, noted *Call) (any, error) {
		if r.Method != http.MethodPost {
			return nil, refuse(CodeWantsPOST, "require POST method")
		}
		return action(r, body, noted)
	})
}

// authorized handles a call with an access token.
func (s *Simulator) authorized(operation Operation, action func(*app, []byte, *Call) (any, error)) http.Handler {
	return s.post(operation, func(r *http.Request, body []byte, noted *Call) (any, error) {
		known, err := s.authorize(r, noted)
		if err != nil {
			return nil, err
		}
		return action(known, body, noted)
	})
}

// handle performs a call, subject to faults, and notes it before its answer is sent.
func (s *Simulator) handle(operation Operation, action func(*http.Request, []byte, *Call) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			simulation.DropConnection(w)
			return
		}
		noted := Call{Time: s.now(), Operation: operation}
		fault := s.strike(operation, r, body)
		if fault != nil && !fault.AfterEffect && s.interrupt(w, r, &noted, fault) {
			return
		}
		s.mu.Lock()
		reply, err := action(r, body, &noted)
		kept := s.state.Flush()
		s.mu.Unlock()
		if kept != nil { // what is not kept must not be answered
			s.logger.Error("state file", "error", kept)
			simulation.DropConnection(w)
			return
		}
		if fault != nil && fault.AfterEffect && s.interrupt(w, r, &noted, fault) {
			return
		}
		s.answer(w, &noted, reply, err, fault)
	})
}

// errorReply is what WeChat says of a failure. Calls without a result of their own answer it for
// success, too.
type errorReply struct {
	Errcode Errcode `json:"errcode"`
	Errmsg  string  `json:"errmsg"`
}

func (s *Simulator) answer(w http.ResponseWriter, noted *Call, reply any, err error, fault *Fault) {
	code := CodeOK
	if refused := (failure{}); errors.As(err, &refused) {
		code = refused.code
		reply = errorReply{Errcode: code, Errmsg: refused.message + " rid: " + random(8) + "-" + random(8)}
	} else if reply == nil {
		reply = errorReply{Errmsg: "ok"}
	}
	noted.Errcode = code
	s.record(*noted)
	content, err := json.Marshal(reply)
	if err != nil {
		s.logger.Error("answer", "error", err)
	}
	if fault != nil && fault.Kind == FaultTruncate {
		content = content[:len(content)/2]
	}
	w.Header().Set("Content-Type", "application/json; encoding=utf-8")
	_, _ = w.Write(content)
}
