package v2

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// An order has at most 50 refunds (chapter 9_4), and a page has ten of them (chapter 9_5).
const (
	maxRefunds = 50
	refundPage = 10
)

// QueryRefund queries one refund by its number.
func (c *Client) QueryRefund(ctx context.Context, refund wechatpay.RefundRef) (wechatpay.RefundFact, error) {
	reply, failure := c.exchange(ctx, callBy(wechatpay.OperationQueryRefund, refund.AppID, "out_refund_no", refund.OutRefundNo))
	return transport.Read(wechatpay.OperationQueryRefund, reply, failure, func(reply fields) (wechatpay.RefundFact, error) {
		facts, err := readRefunds(reply)
		for _, fact := range facts {
			if fact.OutRefundNo == refund.OutRefundNo {
				return fact, nil
			}
		}
		return wechatpay.RefundFact{}, cmp.Or(err, errors.New("the reply is for another out_refund_no"))
	})
}

// QueryRefunds queries all refunds of an order, page by page.
func (c *Client) QueryRefunds(ctx context.Context, order wechatpay.OrderRef) ([]wechatpay.RefundFact, error) {
	var all []wechatpay.RefundFact
	for offset := 0; offset < maxRefunds; offset += refundPage {
		facts, total, err := c.queryRefundPage(ctx, order, offset)
		if err != nil {
			return nil, err
		}
		all = append(all, facts...)
		switch {
		case int64(len(all)) == total:
			if !distinct(all) {
				return nil, refundQueryUnknown(errPagesDiffer)
			}
			return all, nil
		case int64(len(all)) > total, len(facts) < refundPage:
			return nil, refundQueryUnknown(errPagesDiffer)
		}
	}
	return nil, refundQueryUnknown(fmt.Errorf("there are more than %d refunds", maxRefunds))
}

func (c *Client) queryRefundPage(ctx context.Context, order wechatpay.OrderRef, offset int) ([]wechatpay.RefundFact, int64, error) {
	query := callBy(wechatpay.OperationQueryRefund, order.AppID, "out_trade_no", order.OutTradeNo)
	if offset > 0 {
		query.fields = append(query.fields, field{"offset", formatAmount(int64(offset))})
	}
	reply, failure := c.exchange(ctx, query)
	if failure != nil {
		return nil, 0, failure
	}
	if reply.get("out_trade_no") != order.OutTradeNo {
		return nil, 0, refundQueryUnknown(errors.New("the reply is for another out_trade_no"))
	}
	facts, err := readRefunds(reply)
	if err != nil {
		return nil, 0, refundQueryUnknown(err)
	}
	// total_refund_count is present if there is more than one page, or if a page was requested.
	total := int64(len(facts))
	if count, present := reply.find("total_refund_count"); present && count != "" {
		if total, err = parseAmount(count); err != nil {
			return nil, 0, refundQueryUnknown(errors.New("total_refund_count is not a number"))
		}
	} else if offset > 0 {
		return nil, 0, refundQueryUnknown(errors.New("total_refund_count is missing"))
	}
	return facts, total, nil
}

func refundQueryUnknown(err error) error {
	return transport.Unknown(wechatpay.OperationQueryRefund, wechatpay.NeedsAttention, err)
}

// errPagesDiffer: a refund was made between two calls and moved others to another page.
var errPagesDiffer = errors.New("the pages do not add up")

func distinct(facts []wechatpay.RefundFact) bool {
	seen := make(map[string]bool, len(facts))
	for _, fact := range facts {
		if seen[fact.OutRefundNo] {
			return false
		}
		seen[fact.OutRefundNo] = true
	}
	return true
}

// readRefunds reads the refunds of one reply. A suffix numbers them; out_refund_no has one for
// every refund and never a second suffix, unlike coupon_refund_fee_1 (of refund 1) and
// coupon_refund_fee_1_0 (its first coupon).
func readRefunds(reply fields) ([]wechatpay.RefundFact, error) {
	var facts []wechatpay.RefundFact
	for _, f := range reply {
		suffix, found := strings.CutPrefix(f.name, "out_refund_no_")
		if !found {
			continue
		}
		fact, err := readRefund(reply, suffix)
		if err != nil {
			return nil, fmt.Errorf("refund %s of the reply: %w", transport.Shortened(suffix), err)
		}
		facts = append(facts, fact)
	}
	if count := reply.get("refund_count"); count != "" && count != formatAmount(int64(len(facts))) {
		return nil, errors.New("refund_count and the refunds of the reply differ")
	}
	if len(facts) == 0 {
		return nil, errors.New("the reply has no refunds")
	}
	return facts, nil
}

func readRefund(reply fields, suffix string) (wechatpay.RefundFact, error) {
	get := func(name string) string { return reply.get(name + "_" + suffix) }
	fact := wechatpay.RefundFact{
		OutTradeNo:  reply.get("out_trade_no"),
		OutRefundNo: get("out_refund_no"),
		RefundID:    get("refund_id"),
		Status:      refundStatus(get("refund_status")),
		// WeChat's spelling.
		ReceivedAccount: get("refund_recv_accout"),
	}
	amount, err := parseAmount(get("refund_fee"))
	switch {
	case err != nil:
		return wechatpay.RefundFact{}, fmt.Errorf("refund_fee is %w", err)
	case fact.OutRefundNo == "":
		return wechatpay.RefundFact{}, errors.New("out_refund_no is missing")
	case fact.Status == "":
		return wechatpay.RefundFact{}, errors.New("refund_status is missing")
	case fact.OutTradeNo == "":
		return wechatpay.RefundFact{}, errors.New("out_trade_no is missing")
	}
	fact.Amount = amount
	if fact.Status == wechatpay.RefundStatusSucceeded {
		fact.SuccessTime = timeIfSaid(spacedTime, get("refund_success_time"))
	}
	return fact, nil
}

// refundStatus translates refund_status (chapter 9_5); an unknown value stays unchanged.
func refundStatus(status string) wechatpay.RefundStatus {
	return cmp.Or(refundStatuses[status], wechatpay.RefundStatus(status))
}

var refundStatuses = map[string]wechatpay.RefundStatus{
	"PROCESSING":  wechatpay.RefundStatusProcessing,
	"SUCCESS":     wechatpay.RefundStatusSucceeded,
	"REFUNDCLOSE": wechatpay.RefundStatusClosed,
	"CHANGE":      wechatpay.RefundStatusAbnormal,
}
