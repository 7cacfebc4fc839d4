package v3

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

const (
	tradeBillPath = "/v3/bill/tradebill"
	fundFlowPath  = "/v3/bill/fundflowbill"
)

// billAnswer says where a bill is. Its address is like a password for it, and valid for minutes.
type billAnswer struct {
	HashType    string `json:"hash_type"`
	HashValue   string `json:"hash_value"`
	DownloadURL string `json:"download_url"`
}

// DownloadBill asks for a bill, and opens it at the address that the signed answer names. The bill
// itself is not signed; the hash in the answer proves it.
func (c *Client) DownloadBill(ctx context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error) {
	if failure := request.Check(c.settings.Partner); failure != nil {
		return nil, failure
	}
	target := c.billTarget(request)
	bill, failure := c.downloadBill(ctx, target)
	if failure != nil && failure.Meaning == wechatpay.AddressExpired {
		bill, failure = c.downloadBill(ctx, target)
	}
	if failure != nil {
		return nil, failure
	}
	return bill, nil
}

// billTarget returns path and query of the request for a bill. An optional parameter that is sent
// empty is refused, so it is left out.
func (c *Client) billTarget(request wechatpay.BillRequest) string {
	query := url.Values{"bill_date": {request.Day}, "tar_type": {"GZIP"}}
	if request.Kind == wechatpay.FundFlowBill {
		query.Set("account_type", strings.ToUpper(string(request.Account)))
		return fundFlowPath + "?" + query.Encode()
	}
	query.Set("bill_type", wechatpay.BillTypes[request.Kind])
	if c.settings.Partner != nil {
		query.Set("sub_mchid", c.settings.Partner.SubMchID)
	}
	return tradeBillPath + "?" + query.Encode()
}

func (c *Client) downloadBill(ctx context.Context, target string) (*wechatpay.Bill, *wechatpay.Error) {
	body, failure := c.exchange(ctx, call{operation: wechatpay.OperationDownloadBill, method: http.MethodGet, target: target})
	if failure != nil {
		return nil, failure
	}
	var answer billAnswer
	if err := readJSON(body, &answer); err != nil {
		return nil, transport.Unknown(wechatpay.OperationDownloadBill, wechatpay.NeedsAttention, err)
	}
	if answer.HashType == "" || answer.HashValue == "" {
		return nil, transport.Unknown(wechatpay.OperationDownloadBill, wechatpay.NeedsAttention, errors.New("the answer has no hash, so the bill could not be checked"))
	}
	address, host, err := c.billAddress(answer.DownloadURL)
	if err != nil {
		return nil, transport.Unknown(wechatpay.OperationDownloadBill, wechatpay.NeedsAttention, err)
	}
	stream, failure := c.fetchBill(ctx, host, address)
	if failure != nil {
		return nil, transport.Conceal(c.settings.Trust, host, failure, failure.Code != "")
	}
	return &wechatpay.Bill{Body: stream, HashType: answer.HashType, Hash: answer.HashValue}, nil
}

// wechatHosts are in the addresses that WeChat Pay gives, also to a merchant that reaches it through
// a gateway of its own.
var wechatHosts = []string{"api.mch.weixin.qq.com", "api2.mch.weixin.qq.com"}

// billAddress returns path and query of a bill, and through which host of this merchant to get it:
// the one that the address names, or the merchant's own way to WeChat Pay.
func (c *Client) billAddress(text string) (target string, host *url.URL, err error) {
	address, err := bills.DownloadURL(text, append([]string{c.settings.Endpoint.Host, c.settings.BackupEndpoint.Host}, wechatHosts...))
	if err != nil {
		return "", nil, err
	}
	if strings.EqualFold(address.Host, c.settings.BackupEndpoint.Host) {
		return address.RequestURI(), c.settings.BackupEndpoint, nil
	}
	return address.RequestURI(), c.settings.Endpoint, nil
}

// fetchBill opens a bill. The request is signed, and the answer is not.
func (c *Client) fetchBill(ctx context.Context, host *url.URL, target string) (*transport.Stream, *wechatpay.Error) {
	asked := call{operation: wechatpay.OperationFetchBill, method: http.MethodGet, target: target}
	request, failure := c.request(asked, host, transport.Limit(c.settings.Timeouts, asked.operation))
	if failure != nil {
		return nil, failure
	}
	request.Header.Set("Accept", "*/*")
	stream, failure := transport.Open(ctx, c.http, request)
	if failure != nil || isSuccess(stream.Status) {
		return stream, failure
	}
	body, failure := stream.ReadAll(maxAnswer)
	if failure != nil {
		return nil, failure
	}
	if stream.Status < http.StatusBadRequest {
		return nil, transport.UnknownByStatus(asked.operation, stream.Status)
	}
	failure, _ = errorOf(asked.operation, transport.Answer{Status: stream.Status, Header: stream.Header, Body: body}, errBillNotSigned)
	return nil, failure
}

// errBillNotSigned applies to every answer to the second request for a bill.
var errBillNotSigned = &unproven{meaning: wechatpay.NotVerified, cause: errors.New("it is not signed")}
