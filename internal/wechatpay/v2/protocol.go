package v2

import (
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// Protocol is API v2.
type Protocol struct{}

var _ wechatpay.Protocol = Protocol{}

// Open returns a connection that speaks API v2.
func (Protocol) Open(settings wechatpay.Settings, secrets wechatpay.Secrets) (*wechatpay.Connection, error) {
	client, err := New(Options{settings, secrets})
	if err != nil {
		return nil, err
	}
	connection := &wechatpay.Connection{Caller: client, Receiver: client.receiver, Shared: secrets.Keys(), Close: client.CloseIdleConnections}
	for _, key := range client.receiver.keys {
		connection.KeyIDs = append(connection.KeyIDs, key.id)
	}
	return connection, nil
}

// KeyForm describes APIv2 keys (key overview of v2).
func (Protocol) KeyForm() wechatpay.KeyForm {
	return wechatpay.KeyForm{Name: "API key (APIv2 密钥)", Looks: "exactly 32 letters and digits", Fits: transport.IsAPIKey}
}

// Weaker reports MD5 as weaker, unless the order was made with MD5: an attacker who can construct MD5
// collisions must not be able to choose it.
func (Protocol) Weaker(callback, order wechatpay.Scheme) bool {
	return callback == MD5 && order != MD5
}

// AcceptedUnsigned reports that nothing unsigned shows it: anybody can say what is not signed.
func (Protocol) AcceptedUnsigned(error) bool { return false }

// Reply writes the answer that chapter 9_7 defines. WeChat compares it byte for byte.
func (Protocol) Reply(w http.ResponseWriter, reply wechatpay.Reply) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	code, status, reason := success, http.StatusOK, "OK"
	if !reply.Confirm {
		code, status, reason = "FAIL", reply.Status, reply.Reason
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<xml><return_code><![CDATA[" + code + "]]></return_code><return_msg><![CDATA[" + reason + "]]></return_msg></xml>"))
}
