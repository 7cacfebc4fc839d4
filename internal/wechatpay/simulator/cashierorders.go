package simulator

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// mostPayables is how many orders the cashier lists of each kind: the newest.
const mostPayables = 50

// payable is an order as the payer sees it.
type payable struct {
	MchID, OutTradeNo string
	// Shop is the sub merchant, or else the merchant.
	Shop, Description, Currency string
	Total                       int64
	TradeType                   string
	State                       TradeState
	// Refusal is why it can't be paid in the ordinary way: empty, "paid", "closed", "expired" or "prepay".
	Refusal string
}

// CanPay reports whether it can be paid.
func (p payable) CanPay() bool { return p.Refusal == "" }

// CanPayLate reports whether it can be paid too late only.
func (p payable) CanPayLate() bool { return p.Refusal != "" && p.Refusal != "paid" }

// payables lists the newest orders that can be paid, and the newest that can't.
func (s *Simulator) payables() (open, ended []payable) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, order := range slices.Backward(s.store.orderList) {
		if shown := s.payableOf(order); shown.CanPay() && len(open) < mostPayables {
			open = append(open, shown)
		} else if !shown.CanPay() && len(ended) < mostPayables {
			ended = append(ended, shown)
		}
		if len(open) == mostPayables && len(ended) == mostPayables {
			break
		}
	}
	return open, ended
}

func (s *Simulator) payable(mchID, outTradeNo string) (payable, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := s.store.order(mchID, outTradeNo)
	if order == nil {
		return payable{}, false
	}
	return s.payableOf(order), true
}

func (s *Simulator) payableOf(o *Order) payable {
	refusals := map[error]string{ErrOrderPaid: "paid", ErrOrderClosed: "closed", ErrOrderExpired: "expired", ErrPrepayExpired: "prepay"}
	return payable{
		MchID: o.MchID, OutTradeNo: o.OutTradeNo, Shop: cmp.Or(o.SubMchID, o.MchID), Description: o.Description,
		Currency: o.FeeType, Total: o.TotalFee, TradeType: o.TradeType, State: o.State, Refusal: refusals[s.refusePayment(o, "")],
	}
}

// byCode finds the order of a code_url, a prepay_id, an mweb_url or its package (prepay_id=...). An mweb_url that is too old is
// ErrPrepayExpired.
func (s *Simulator) byCode(code string) (payable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := prepayIDIn(code)
	if order := s.store.byPrepay[id]; order != nil {
		prepay := order.Prepays[slices.IndexFunc(order.Prepays, func(p Prepay) bool { return p.ID == id })]
		if !prepay.MwebExpireTime.IsZero() && !s.now().Before(prepay.MwebExpireTime) {
			return payable{}, ErrPrepayExpired
		}
		return s.payableOf(order), nil
	}
	for _, order := range slices.Backward(s.store.orderList) {
		if slices.ContainsFunc(order.Prepays, func(p Prepay) bool { return p.CodeURL != "" && p.CodeURL == code }) {
			return s.payableOf(order), nil
		}
	}
	return payable{}, ErrNotFound
}

// prepayIDIn reads the prepay_id out of an address, a package, or what is one.
func prepayIDIn(code string) string {
	if address, err := url.Parse(code); err == nil && address.Query().Has("prepay_id") {
		return address.Query().Get("prepay_id")
	}
	return strings.TrimPrefix(code, "prepay_id=")
}

// turnBack is a payer who opens an order that can be paid, and leaves it.
func (s *Simulator) turnBack(mchID, outTradeNo string) error {
	return s.change(func() error {
		order := s.store.order(mchID, outTradeNo)
		if order == nil {
			return fmt.Errorf("order %s: %w", outTradeNo, ErrNotFound)
		}
		return s.leave(order, "")
	})
}

// money writes minor units as people read them: ¥1.01, or JPY 101.
func money(total int64, currency string) string {
	switch currency {
	case "JPY", "KRW":
		return fmt.Sprintf("%s %d", currency, total)
	case "", "CNY":
		currency = "¥"
	default:
		currency += " "
	}
	return fmt.Sprintf("%s%d.%02d", currency, total/100, total%100)
}
