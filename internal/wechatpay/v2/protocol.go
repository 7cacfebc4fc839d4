package v2

import (
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Protocol is API v2.
type Protocol struct{}

var _ wechatpay.Protocol = Protocol{}

// Open returns an account as API v2 speaks to it.
func (Protocol) Open(settings wechatpay.Settings, secrets wechatpay.Secrets) (*wechatpay.Connection, error) {
	client, err := New(Options{settings, secrets})
	if err != nil {
		return nil, err
	}
	connection := &wechatpay.Connection{Caller: client, Receiver: client.receiver, Close: client.CloseIdleConnections}
	for _, key := range client.receiver.keys {
		connection.KeyIDs = append(connection.KeyIDs, key.id)
		connection.Shared = append(connection.Shared, key.key)
	}
	return connection, nil
}

// KeyForm is that of an APIv2 key (key overview of v2).
func (Protocol) KeyForm() wechatpay.KeyForm {
	return wechatpay.KeyForm{Name: "API key (APIv2 密钥)", Looks: "exactly 32 letters and digits", Fits: isAPIKey}
}

// Weaker refuses MD5 for an order that was not made with MD5: whoever can make MD5 collide must not choose it.
func (Protocol) Weaker(callback, order wechatpay.Scheme) bool {
	return callback == MD5 && order != MD5
}

// Reply answers as chapter 9_7 demands: WeChat takes these very bytes for a yes.
func (Protocol) Reply(w http.ResponseWriter, reply wechatpay.Reply) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	code, status, reason := success, http.StatusOK, "OK"
	if !reply.Stored {
		code, status, reason = "FAIL", reply.Status, reply.Reason
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<xml><return_code><![CDATA[" + code + "]]></return_code><return_msg><![CDATA[" + reason + "]]></return_msg></xml>"))
}
