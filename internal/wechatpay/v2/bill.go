package v2

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

const (
	tradeBillPath = "/pay/downloadbill"
	fundFlowPath  = "/pay/downloadfundflow"
)

// billTypes are bill_type of the trade bill.
var billTypes = map[wechatpay.BillKind]string{wechatpay.TradeBill: "ALL", wechatpay.RechargeRefundBill: "RECHARGE_REFUND"}

// DownloadBill opens a bill. WeChat signs neither the bill nor, for the trade bill, a refusal; the
// fund-flow bill comes with a digest.
func (c *Client) DownloadBill(ctx context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error) {
	call, err := billCall(request)
	if err != nil {
		return nil, transport.NotSent(wechatpay.OperationDownloadBill, wechatpay.Rejected, err)
	}
	if request.Kind == wechatpay.FundFlowBill {
		if c.settings.Partner != nil {
			return nil, transport.NotSent(wechatpay.OperationDownloadBill, wechatpay.NotOffered, errors.New("WeChat Pay has no fund-flow bill of a sub merchant"))
		}
		if err := c.checkCertificate(c.settings.Now()); err != nil {
			return nil, transport.NotSent(wechatpay.OperationDownloadBill, wechatpay.CertificateMissing, err)
		}
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
func billCall(request wechatpay.BillRequest) (call, error) {
	day, err := time.Parse(time.DateOnly, request.Day)
	if err != nil {
		return call{}, errors.New("the day of the bill is not one")
	}
	asked := callBy(wechatpay.OperationDownloadBill, request.AppID, "bill_date", day.Format("20060102"))
	asked.path, asked.fields = tradeBillPath, append(asked.fields, field{"tar_type", "GZIP"})
	switch billType := billTypes[request.Kind]; {
	case billType != "":
		asked.fields = append(asked.fields, field{"bill_type", billType})
	case request.Kind == wechatpay.FundFlowBill && request.Account != "":
		asked.fields = append(asked.fields, field{"account_type", string(request.Account)})
		asked.path, asked.certified = fundFlowPath, true
		asked.signType = HMACSHA256 // WeChat Pay takes no other there
	default:
		return call{}, errors.New("there is no such bill")
	}
	return asked, asked.check()
}

// openBill asks one host for a bill. That it answers with one does not prove that it is WeChat.
func (c *Client) openBill(ctx context.Context, asked call, host *url.URL, limit time.Duration) (*transport.Stream, *wechatpay.Error) {
	stream, failure := transport.Open(ctx, c.httpClient(asked), c.request(asked, host, limit))
	if failure == nil {
		failure = judgeStream(stream)
	}
	if failure != nil {
		return nil, transport.Discreet(c.settings.Trust, host, failure, isRefusalInWords(failure))
	}
	return stream, nil
}

// judgeStream returns nil if a bill begins, and else reads what is said instead.
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
