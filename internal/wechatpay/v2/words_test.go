package v2

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const hostileWords = "系统\u009b31m错误\u202e\nERROR"

func TestErrorsAreClean(t *testing.T) {
	for operation, call := range calls {
		for name, reply := range map[string]answer{
			"signed": fails(hostileWords, hostileWords), "unsigned": refuses(hostileWords, hostileWords), "code": fails("SYSTEMERROR", hostileWords),
		} {
			err := call(t.Context(), newServer(t, reply).client(t))
			if err == nil || !text.IsClean(err.Error()) {
				t.Errorf("%s, %s: %q", operation, name, err)
			}
		}
	}
}

// TestAPrepayWithControlCharactersIsNotTaken: the payer's parameters work only unmodified.
func TestAPrepayWithControlCharactersIsNotTaken(t *testing.T) {
	for _, name := range []string{"prepay_id", "code_url", "mweb_url"} {
		more := with(doneFields[wechatpay.OperationCreateOrder], map[string]string{name: "wx\u202e2016"})
		_, err := newServer(t, done(more)).client(t).CreateOrder(t.Context(), testOrder())
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "CreateOrder: "+name+" of the reply holds control characters")
	}
}
