package desk

import (
	"context"
	"log/slog"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/printer"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// Printing prints the queue, one order after the other. An order that can't be printed keeps those
// behind it waiting, so that the order of the tickets is the order of the payments.
type Printing struct {
	Book    *Book
	Printer printer.Printer
	Notices *Notices
	Log     *slog.Logger
	Pace    Pace
	// GoodsWithin is how long an order waits for its goods to be read. Then it is printed without.
	GoodsWithin time.Duration
	// Grace is how long a ticket that is being printed may take after the context has ended.
	Grace time.Duration
}

// Run prints until the context ends.
func (p *Printing) Run(ctx context.Context) {
	pauses := p.Pace.New()
	for ctx.Err() == nil {
		entry, changed := p.Book.NextToPrint()
		if entry == nil || p.waitsForGoods(entry) {
			p.wait(ctx, entry, changed)
			continue
		}
		if p.print(ctx, entry) == nil {
			pauses.Reset()
		} else if !pauses.Wait(ctx) {
			return
		}
	}
}

func (p *Printing) waitsForGoods(entry *Entry) bool {
	return entry.Goods == nil && entry.Copies == 0 && p.Book.IsYounger(entry, p.GoodsWithin)
}

// wait waits for a change, or until the first entry has waited long enough for its goods.
func (p *Printing) wait(ctx context.Context, first *Entry, changed <-chan struct{}) {
	var due <-chan time.Time
	if first != nil {
		due = time.After(time.Until(first.Received.Add(p.GoodsWithin)))
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-due:
	}
}

// print prints one order and records it. Between the two it can be printed once more after a crash,
// and says so on the paper.
func (p *Printing) print(ctx context.Context, entry *Entry) error {
	ctx, stop := outlast(ctx, p.Grace)
	defer stop()
	err := p.Printer.Print(ctx, p.ticketOf(entry), printer.Job{
		Begin: func() error { return p.Book.Begin(entry.Event.ID) },
		Waits: func(why string) { p.Notices.Set(Printer, why, time.Now()) },
	})
	if err != nil {
		if p.Notices.Set(Printer, err.Error(), time.Now()) {
			p.Log.Warn("Could not print", "order", entry.Event.Number(), "problem", err)
		}
		return err
	}
	if err := p.Book.Printed(entry.Event.ID); err != nil {
		return err
	}
	p.Notices.Set(Printer, "", time.Now())
	p.Log.Info("Printed", "order", entry.Event.Number(), "copy", entry.Copies+1)
	return nil
}

// outlast returns a context that ends some time after its parent.
func outlast(parent context.Context, grace time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		select {
		case <-ctx.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

func (p *Printing) ticketOf(entry *Entry) ticket.Ticket {
	object := entry.Event.Object
	t := ticket.Ticket{
		Number: entry.Event.Number(), Late: entry.Event.Type == event.OrderPaidLate, CheckFirst: p.Book.CheckFirst(entry.Event),
		Total: object.Total, Currency: object.Currency, PaidTime: object.PaidTime, TransactionID: object.TransactionID,
		TradeType: object.TradeType, Shop: object.Namespace + "/" + object.Merchant.Name,
	}
	if goods := entry.Goods; goods != nil {
		t.Description = goods.Description
		for _, item := range goods.Items {
			t.Items = append(t.Items, ticket.Item(item))
		}
	}
	for _, refund := range p.Book.RefundsOf(object.Namespace, object.Name) {
		t.Refunds = append(t.Refunds, ticket.Refund{Amount: refund.Event.Object.Total, State: RefundWord(refund.Event.Type)})
	}
	switch {
	case entry.Begun:
		t.Copy = ticket.MayBeSecond
	case entry.Copies > 0:
		t.Copy = ticket.AskedFor
	case p.Book.WasPrinted(entry.Event):
		t.Copy = ticket.OfEarlierEvent
	}
	return t
}

// RefundWord names what a refund event says, in both languages.
func RefundWord(kind string) string {
	switch kind {
	case event.RefundSucceeded:
		return "已退款 Refunded"
	case event.RefundFailed:
		return "退款未成 Not refunded"
	default:
		return "申请退款 Refund asked for"
	}
}
