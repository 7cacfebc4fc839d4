package bills_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
	v3 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v3"
)

// classes are the words of the cases for what to do.
var classes = map[wechatpay.Meaning]string{
	wechatpay.NoStatement: "no-statement", wechatpay.StatementCreating: "creating", wechatpay.Repeat: "repeat", wechatpay.SlowDown: "wait",
	wechatpay.Rejected: "fix", wechatpay.CredentialsRejected: "fix", wechatpay.NoRight: "person", wechatpay.AddressExpired: "fetch-new-url",
}

func replyVector(t *testing.T, c vector) {
	input := read[struct {
		API  string
		HTTP int
		Body string
	}](t, c.Inputs)
	want := read[struct{ Class string }](t, c.Expect)
	judge := map[string]func() *wechatpay.Error{
		"v2-trade": func() *wechatpay.Error { return v2.BillReply(input.HTTP, []byte(input.Body)) },
		"v2-fund":  func() *wechatpay.Error { return v2.BillReply(input.HTTP, []byte(input.Body)) },
		"v3": func() *wechatpay.Error {
			return v3.BillReply(wechatpay.OperationDownloadBill, input.HTTP, []byte(input.Body))
		},
		"v3-download": func() *wechatpay.Error {
			return v3.BillReply(wechatpay.OperationFetchBill, input.HTTP, []byte(input.Body))
		},
	}[input.API]
	got := "bill"
	if failure := judge(); failure != nil {
		got = classes[failure.Meaning]
	}
	same(t, "class", got, want.Class)
}
