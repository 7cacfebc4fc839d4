package v3

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// Protocol is API v3.
type Protocol struct{}

var _ wechatpay.Protocol = Protocol{}

// Open returns a connection that speaks API v3.
func (Protocol) Open(settings wechatpay.Settings, secrets wechatpay.Secrets) (*wechatpay.Connection, error) {
	client, err := New(Options{settings, secrets})
	if err != nil {
		return nil, err
	}
	connection := &wechatpay.Connection{
		Caller: client, Receiver: client, Close: client.http.CloseIdleConnections,
		Verifiers: client.verifiers.list, ClockSkew: client.skew.get,
		Shared: secrets.Keys(),
	}
	if client.signer != nil {
		connection.KeyIDs = client.signer.ids()
	}
	return connection, nil
}

// KeyForm describes APIv3 keys.
func (Protocol) KeyForm() wechatpay.KeyForm {
	return wechatpay.KeyForm{Name: "APIv3 key (APIv3 密钥)", Looks: "exactly 32 letters and digits", Fits: transport.IsAPIKey}
}

// Weaker reports that no callback is weaker: there is one algorithm.
func (Protocol) Weaker(_, _ wechatpay.Scheme) bool { return false }

// AcceptedUnsigned reports whether WeChat says that there is no such order: it verifies a request
// before it looks. The host is one that the platform allows, and TLS has verified it.
func (Protocol) AcceptedUnsigned(err error) bool {
	return wechatpay.OutcomeOf(err) == wechatpay.Refused && wechatpay.MeaningOf(err) == wechatpay.OrderNotExist
}

// Reply answers 204 without a body when the fact is stored. Only the status counts for WeChat Pay;
// the body of another answer is for people who read it.
func (Protocol) Reply(w http.ResponseWriter, reply wechatpay.Reply) {
	if reply.Confirm {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := json.Marshal(refusal{Code: "FAIL", Message: reply.Reason})
	if err != nil {
		body = []byte(`{"code":"FAIL"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(reply.Status)
	_, _ = w.Write(body)
}

type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}
