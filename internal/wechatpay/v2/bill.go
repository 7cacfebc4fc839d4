package v2

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

const (
	tradeBillPath = "/pay/downloadbill"
	fundFlowPath  = "/pay/downloadfundflow"
)

// DownloadBill opens a bill. WeChat signs neither the bill nor, for the trade bill, a refusal; the
// fund-flow bill comes with a digest.
func (c *Client) DownloadBill(ctx context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error) {
	if failure := request.Check(c.settings.Partner); failure != nil {
		return nil, failure
	}
	call := billCall(request)
	if failure := c.check(call); failure != nil {
		return nil, failure
	}
	stream, failure := transport.Twice(ctx, c.settings, call.operation, mayRepeat,
		func(host *url.URL, limit time.Duration) (*transport.Stream, *wechatpay.Error) {
			return c.openBill(ctx, call, host, limit)
		})
	if failure != nil {
		return nil, failure
	}
	announced := bills.ExpectDigest(stream.Header.Get("Digest"))
	return &wechatpay.Bill{Body: stream, HashType: announced.HashType, Hash: announced.Hash, HashOrPacked: announced.OrPacked}, nil
}

// billCall returns the request for a bill without the common fields.
func billCall(request wechatpay.BillRequest) call {
	asked := callBy(wechatpay.OperationDownloadBill, request.AppID, "bill_date", strings.ReplaceAll(request.Day, "-", ""))
	asked.fields = append(asked.fields, field{"tar_type", "GZIP"})
	if request.Kind != wechatpay.FundFlowBill {
		asked.path, asked.fields = tradeBillPath, append(asked.fields, field{"bill_type", wechatpay.BillTypes[request.Kind]})
		return asked
	}
	asked.path, asked.fields = fundFlowPath, append(asked.fields, field{"account_type", string(request.Account)})
	asked.certified = true
	asked.signType = HMACSHA256 // WeChat Pay accepts no other for this call
	return asked
}

// openBill requests a bill from one host. A bill does not prove that the host is WeChat's.
func (c *Client) openBill(ctx context.Context, asked call, host *url.URL, limit time.Duration) (*transport.Stream, *wechatpay.Error) {
	stream, failure := transport.Open(ctx, c.httpClient(asked), c.request(asked, host, limit))
	if failure == nil {
		failure = judgeStream(stream)
	}
	if failure != nil {
		return nil, transport.Conceal(c.settings.Trust, host, failure, isRefusalWithCode(failure))
	}
	return stream, nil
}

// judgeStream returns nil if the answer is a bill, and otherwise reads the refusal.
func judgeStream(stream *transport.Stream) *wechatpay.Error {
	start, failure := stream.Peek(512)
	switch {
	case failure != nil:
		_ = stream.Close()
		return failure
	case stream.Status == http.StatusOK && !bills.IsReply(start):
		return nil
	}
	body, failure := stream.ReadAll(maxDocument + 1)
	if failure != nil {
		return failure
	}
	return BillReply(stream.Status, body)
}
