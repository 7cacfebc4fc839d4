// Package subscribe sends the payer a subscribe message of the mini program: one for each order, if
// the payer has accepted one in the mini program. It is best effort, and nothing waits for it.
package subscribe

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
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/orders"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// Results that are stored for the page.
const (
	Sent          = "sent"
	NotSubscribed = "notSubscribed"
	NoPayer       = "noPayer"
	Failed        = "failed"
)

const (
	// within is how old a payment may be: later the payer knows.
	within = time.Hour
	// mostAttempts is how often a message is tried while WeChat is busy or away.
	mostAttempts = 5
	timeout      = 10 * time.Second
)

// Payers says who paid an order; orders.Reader does.
type Payers interface {
	Payer(ctx context.Context, e event.Event) (orders.Payer, error)
}

// Sender sends the messages.
type Sender struct {
	// Base is https://api.weixin.qq.com, or a simulator.
	Base string
	// SecretFolder holds the files appID and appSecret of the mini program, as a Secret is mounted.
	SecretFolder string
	Template     string
	// Fields says what stands in which keyword of the template.
	Fields Fields
	// Page of the mini program that a tap opens; may be empty.
	Page string
	// State is formal, trial or developer.
	State string
	Zone  *time.Location

	Payers  Payers
	Client  *http.Client
	Notices *desk.Notices
	Log     *slog.Logger
	Pace    desk.Pace

	tokens tokens
}

// Run sends until the context ends.
func (s *Sender) Run(ctx context.Context, book *desk.Book) {
	attempts := map[string]int{}
	wanted := func(e *desk.Entry) bool { return e.Event.IsPayment() && e.Messaged == "" && book.IsYounger(e, within) }
	book.Follow(ctx, wanted, s.Pace, func(ctx context.Context, entries []*desk.Entry) error {
		// The one that failed least goes first, so that it does not wait for the others.
		entry := slices.MinFunc(entries, func(a, b *desk.Entry) int { return attempts[a.Event.ID] - attempts[b.Event.ID] })
		id := entry.Event.ID
		result, err := s.message(ctx, entry)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			attempts[id]++
			if s.Notices.Set(desk.Payer, err.Error(), time.Now()) {
				s.Log.Warn("Could not send a subscribe message", "order", entry.Event.Number(), "problem", err)
			}
			if isTemporary(err) && attempts[id] < mostAttempts {
				return err
			}
			result = Failed
		} else {
			s.Notices.Set(desk.Payer, "", time.Now())
		}
		delete(attempts, id)
		return book.Messaged(id, result)
	})
}

// message sends one message and returns the result.
func (s *Sender) message(ctx context.Context, entry *desk.Entry) (result string, err error) {
	payer, err := s.Payers.Payer(ctx, entry.Event)
	if err != nil {
		return "", temporaryError{fmt.Errorf("the payer can't be read: %w", err)}
	}
	appID, secret, err := s.credentials()
	if err != nil {
		return "", err
	}
	if payer.OpenID == "" || payer.AppID != "" && payer.AppID != appID {
		return NoPayer, nil
	}
	body := map[string]any{
		"touser": payer.OpenID, "template_id": s.Template, "miniprogram_state": s.State, "lang": "zh_CN",
		"data": s.Fields.values(entry, s.Zone),
	}
	if s.Page != "" {
		body["page"] = strings.ReplaceAll(s.Page, "{number}", url.QueryEscape(entry.Event.Number()))
	}
	for again := true; ; again = false {
		token, err := s.tokens.get(ctx, func(ctx context.Context) (string, time.Duration, error) { return s.fetchToken(ctx, appID, secret) })
		if err != nil {
			return "", err
		}
		_, err = s.post(ctx, "/cgi-bin/message/subscribe/send?access_token="+url.QueryEscape(token), body)
		var answered answerError
		switch {
		case err == nil:
			return Sent, nil
		case errors.As(err, &answered) && answered.code == notSubscribed:
			return NotSubscribed, nil
		case errors.As(err, &answered) && answered.isAboutToken() && again:
			s.tokens.drop(token)
		default:
			return "", err
		}
	}
}

func (s *Sender) credentials() (appID, secret string, err error) {
	read := func(name string) string {
		content, readErr := os.ReadFile(filepath.Join(s.SecretFolder, name))
		err = errors.Join(err, readErr)
		return strings.TrimSpace(string(content))
	}
	return read("appID"), read("appSecret"), err
}

func (s *Sender) fetchToken(ctx context.Context, appID, secret string) (string, time.Duration, error) {
	answer, err := s.post(ctx, "/cgi-bin/stable_token", map[string]any{"grant_type": "client_credential", "appid": appID, "secret": secret})
	if err != nil {
		return "", 0, fmt.Errorf("no access token: %w", err)
	}
	return answer.Token, time.Duration(answer.Lives) * time.Second, nil
}

// answer is what api.weixin.qq.com answers. It answers HTTP 200 for errors as well.
type answer struct {
	Code    int    `json:"errcode"`
	Message string `json:"errmsg"`
	Token   string `json:"access_token"`
	Lives   int    `json:"expires_in"`
}

// Codes of api.weixin.qq.com.
const (
	busy          = -1
	quotaOfDay    = 45009
	tooFast       = 45011
	notSubscribed = 43101
)

// answerError is an answer that is no success.
type answerError struct {
	code    int
	message string
}

func (e answerError) Error() string {
	return fmt.Sprintf("WeChat answers %d: %s", e.code, ticket.ForReceipt(e.message[:min(len(e.message), 200)]))
}

func (e answerError) isAboutToken() bool { return slices.Contains([]int{40001, 40014, 42001}, e.code) }

// temporaryError is a failure that may be over in a while.
type temporaryError struct{ error }

func isTemporary(err error) bool {
	var temporary temporaryError
	var answered answerError
	return errors.As(err, &temporary) || errors.As(err, &answered) && slices.Contains([]int{busy, quotaOfDay, tooFast}, answered.code)
}

// post makes a call. No error holds its address, in which the token is.
func (s *Sender) post(ctx context.Context, path string, body any) (answer, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Base+path, bytes.NewReader(content))
	if err != nil {
		return answer{}, errors.New("the address of api.weixin.qq.com is not valid")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.Client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return answer{}, temporaryError{fmt.Errorf("WeChat can't be reached: %w", err)}
	}
	defer response.Body.Close()
	var got answer
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&got); err != nil || response.StatusCode != http.StatusOK {
		return answer{}, temporaryError{fmt.Errorf("WeChat answers HTTP %d", response.StatusCode)}
	}
	if got.Code != 0 {
		return answer{}, answerError{got.Code, got.Message}
	}
	return got, nil
}

// Fields maps the keywords of a template, such as character_string1, to what is known of an order:
// number, amount, paidTime, description.
type Fields map[string]string

// ParseFields reads character_string1=number,amount2=amount,date3=paidTime,thing4=description.
func ParseFields(text string) (Fields, error) {
	fields := Fields{}
	for one := range strings.SplitSeq(text, ",") {
		keyword, what, _ := strings.Cut(strings.TrimSpace(one), "=")
		if keyword == "" || !slices.Contains([]string{"number", "amount", "paidTime", "description"}, what) {
			return nil, fmt.Errorf("%q: want <keyword of the template>=number, amount, paidTime or description", one)
		}
		fields[keyword] = what
	}
	return fields, nil
}

// mostThing is the most characters of a keyword thing; a longer one is refused (47003).
const mostThing = 20

// values fills the template.
func (f Fields) values(entry *desk.Entry, zone *time.Location) map[string]map[string]string {
	object := entry.Event.Object
	description := ""
	if entry.Goods != nil {
		description = entry.Goods.Description
	}
	if description == "" {
		description = entry.Event.Number() // WeChat refuses an empty keyword
	}
	known := map[string]string{
		"number":      entry.Event.Number(),
		"amount":      ticket.Money(object.Total, object.Currency),
		"paidTime":    paidTime(entry.Event).In(zone).Format("2006-01-02 15:04:05"),
		"description": description,
	}
	values := map[string]map[string]string{}
	for keyword, what := range f {
		value := known[what]
		if runes := []rune(value); strings.HasPrefix(keyword, "thing") && len(runes) > mostThing {
			value = string(runes[:mostThing-1]) + "…"
		}
		values[keyword] = map[string]string{"value": value}
	}
	return values
}

func paidTime(e event.Event) time.Time {
	if e.Object.PaidTime.IsZero() {
		return e.Time
	}
	return e.Object.PaidTime
}
