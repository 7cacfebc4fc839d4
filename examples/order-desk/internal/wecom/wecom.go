// Package wecom tells the staff by a group robot of WeCom. A robot may send 20 messages a minute: what
// happens meanwhile is told together in the next message.
package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

const (
	// Interval is the shortest time between two messages: one more than WeCom's 20 a minute asks for
	// does not fit into any minute.
	Interval = 3100 * time.Millisecond
	// mostText is the longest text of a message in bytes.
	mostText = 2048
	// remindWithin is how old an event may be: after a long outage the staff needs no reminder of
	// yesterday.
	remindWithin = 24 * time.Hour
	// tooOften is WeCom's errcode for more than 20 messages a minute.
	tooOften = 45009
	timeout  = 10 * time.Second
)

// Robot sends messages to a group.
type Robot struct {
	// URLFile holds the robot's address. Its key lets everybody write to the group, so that the
	// address is read for each message, and is neither logged nor shown.
	URLFile string
	// Page is the address of the desk's page, for the last line; may be empty.
	Page string
	// Blocked is how long the robot is left alone after WeCom said that it sends too often.
	Blocked time.Duration
	// Interval replaces the package's Interval in tests.
	Interval time.Duration
	Client   *http.Client
	Notices  *desk.Notices
	Log      *slog.Logger
}

// Remind sends what the staff has to know until the context ends.
func (r *Robot) Remind(ctx context.Context, book *desk.Book) {
	limiter := rate.NewLimiter(rate.Every(r.Interval), 1)
	wanted := func(e *desk.Entry) bool {
		return !e.Reminded && isNews(e.Event) && book.IsYounger(e, remindWithin)
	}
	pace := desk.Pace{First: r.Interval, Most: time.Minute}
	book.Follow(ctx, wanted, pace, func(ctx context.Context, _ []*desk.Entry) error {
		if err := limiter.Wait(ctx); err != nil {
			return err
		}
		entries, _ := book.Select(wanted) // with those that came meanwhile
		err := r.send(ctx, r.text(book, entries))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if r.Notices.Set(desk.Robot, err.Error(), time.Now()) {
				r.Log.Warn("Could not remind the staff", "problem", err)
			}
			var answered answerError
			if errors.As(err, &answered) && answered.Code == tooOften {
				pause(ctx, r.Blocked)
			}
			return err
		}
		r.Notices.Set(desk.Robot, "", time.Now())
		var ids []string
		for _, entry := range entries {
			ids = append(ids, entry.Event.ID)
		}
		return book.Reminded(ids)
	})
}

func pause(ctx context.Context, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// isNews reports whether the staff has to know of an event: goods to hand out, a refund to decide.
func isNews(e event.Event) bool {
	return e.IsPayment() || e.Type == event.RefundRequested || e.Type == event.RefundFailed
}

// line says what happened.
func line(book *desk.Book, entry *desk.Entry) string {
	e := entry.Event
	words := map[string]string{
		event.OrderPaid: "已付款 ", event.OrderPaidLate: "关单后付款，请确认 ",
		event.RefundRequested: "申请退款 ", event.RefundFailed: "退款未成 ",
	}
	if e.IsRefund() {
		currency := ""
		if order := book.OrderOf(e.Object.Namespace, e.Object.Order); order != nil {
			currency = order.Event.Object.Currency
		}
		return words[e.Type] + e.Number() + " " + ticket.Money(e.Object.Total, currency) + " 订单 " + e.Object.Order
	}
	text := words[e.Type]
	if book.CheckFirst(e) {
		text = "先核对，可能已发货 " + text
	}
	text += e.Number() + " " + ticket.Money(e.Object.Total, e.Object.Currency)
	if entry.Goods != nil && entry.Goods.Description != "" {
		text += " " + ticket.ForReceipt(entry.Goods.Description)
	}
	return text
}

// text puts the lines of entries into one message. The newest stand in it, if not all fit.
func (r *Robot) text(book *desk.Book, entries []*desk.Entry) string {
	last := r.Page
	room := mostText - len(last) - 64
	var lines []string
	for i := len(entries) - 1; i >= 0; i-- {
		one := line(book, entries[i])
		if room -= len(one) + 1; room < 0 {
			lines = append(lines, fmt.Sprintf("另有 %d 条更早的", i+1))
			break
		}
		lines = append(lines, one)
	}
	slices.Reverse(lines)
	if last != "" {
		lines = append(lines, last)
	}
	return strings.Join(lines, "\n")
}

// answerError is an answer of WeCom that is no success.
type answerError struct {
	Code    int    `json:"errcode"`
	Message string `json:"errmsg"`
}

func (e answerError) Error() string {
	if e.Code == tooOften {
		return "WeCom says that the robot sends too often (45009)"
	}
	message := e.Message
	if len(message) > 200 {
		message = message[:200]
	}
	return fmt.Sprintf("WeCom answers %d: %s", e.Code, ticket.ForReceipt(message))
}

// send sends one message. No error holds the address.
func (r *Robot) send(ctx context.Context, text string) error {
	address, err := os.ReadFile(r.URLFile)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"msgtype": "text", "text": map[string]string{"content": text}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSpace(string(address)), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s does not hold an address of a robot", r.URLFile)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.Client.Do(request)
	if err != nil {
		return fmt.Errorf("WeCom can't be reached: %w", withoutURL(err))
	}
	defer response.Body.Close()
	var answer answerError
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("WeCom answers HTTP %d", response.StatusCode)
	}
	if answer.Code != 0 {
		return answer
	}
	return nil
}

// withoutURL takes the address out of an error of net/http.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
