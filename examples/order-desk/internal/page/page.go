// Package page shows the staff what was printed and what waits, and prints an order again.
package page

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

var (
	//go:embed page.html
	markup string
	//go:embed page.css
	style []byte
	//go:embed page.js
	script []byte

	page = template.Must(template.New("page").Parse(markup))
)

// mostShown is how many orders the page shows.
const mostShown = 200

// heartbeat keeps proxies from closing the stream of changes.
const heartbeat = 20 * time.Second

// Page serves the page.
type Page struct {
	Book    *desk.Book
	Notices *desk.Notices
	Zone    *time.Location
	Log     *slog.Logger
	// Hosts are those that the page is served under.
	Hosts Hosts

	mutex   sync.Mutex
	noticed chan struct{}
}

// Handler returns the handler of the page and of what it loads. Other sites can't post to it.
func (p *Page) Handler() http.Handler {
	p.noticed = make(chan struct{})
	p.Notices.Listen(p.notice)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("GET /changes", p.changes)
	mux.HandleFunc("POST /print", p.printAgain)
	mux.HandleFunc("GET /page.css", file("text/css; charset=utf-8", style))
	mux.HandleFunc("GET /page.js", file("text/javascript; charset=utf-8", script))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return p.Hosts.only(http.NewCrossOriginProtection().Handler(guarded(mux)))
}

// guarded sets the headers that keep a page from running what is not its own.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func file(kind string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(content)
	}
}

func (p *Page) notice() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	close(p.noticed)
	p.noticed = make(chan struct{})
}

func (p *Page) notices() <-chan struct{} {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.noticed
}

// view is what the template shows.
type view struct {
	Words    map[string]string
	Lang     string
	Other    string
	Waiting  int
	Problems []problem
	Rows     []row
}

type problem struct{ Subject, Text, Since string }

type row struct {
	ID, Number, Amount, Goods, Paid, State, Class, Payer string
	Late, CheckFirst, CanPrint                           bool
	Refunds                                              []string
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, p.view(languageOf(r))); err != nil {
		p.Log.Debug("The page was not sent", "problem", err)
	}
}

func (p *Page) view(lang string) view {
	words := dictionary[lang]
	v := view{Words: words, Lang: lang, Other: map[string]string{"zh": "en", "en": "zh"}[lang]}
	for _, subject := range []string{desk.Printer, desk.Robot, desk.Payer, desk.Sink, desk.Orders} {
		if notice, wrong := p.Notices.Of(subject); wrong {
			v.Problems = append(v.Problems, problem{words[subject], notice.Text, notice.Since.In(p.Zone).Format(time.TimeOnly)})
		}
	}
	waiting := p.Book.Waiting()
	v.Waiting = len(waiting)
	entries, _ := p.Book.Select(func(*desk.Entry) bool { return true })
	refunds := map[string][]string{}
	for _, e := range entries {
		if e.Event.IsRefund() && e.Event.Type != event.RefundRequested || e.Event.Type == event.RefundRequested && !ended(entries, e) {
			key := e.Event.Object.Namespace + "/" + e.Event.Object.Order
			refunds[key] = append(refunds[key], words[e.Event.Type]+" "+e.Event.Number())
		}
	}
	slices.Reverse(entries)
	for _, e := range entries {
		if e.Event.IsPayment() && len(v.Rows) < mostShown {
			line := p.row(e, words, slices.Index(waiting, e.Event.ID))
			line.Refunds = refunds[e.Event.Object.Namespace+"/"+e.Event.Object.Name]
			v.Rows = append(v.Rows, line)
		}
	}
	return v
}

// ended reports whether the desk has heard of the end of a Refund.
func ended(entries []*desk.Entry, requested *desk.Entry) bool {
	return slices.ContainsFunc(entries, func(e *desk.Entry) bool {
		return e.Event.Object.UID == requested.Event.Object.UID && e.Event.Type != event.RefundRequested
	})
}

func (p *Page) row(e *desk.Entry, words map[string]string, place int) row {
	object := e.Event.Object
	line := row{
		ID: e.Event.ID, Number: e.Event.Number(), Amount: ticket.Money(object.Total, object.Currency),
		Late: e.Event.Type == event.OrderPaidLate, CheckFirst: p.Book.CheckFirst(e.Event), CanPrint: place < 0, Payer: words["message:"+e.Messaged],
	}
	if !object.PaidTime.IsZero() {
		line.Paid = object.PaidTime.In(p.Zone).Format("01-02 15:04:05")
	}
	if e.Goods != nil {
		line.Goods = e.Goods.Description
	}
	switch {
	case place == 0:
		line.State, line.Class = words["next"], "next"
	case place > 0:
		line.State, line.Class = fmt.Sprintf(words["waits"], place), "waits"
	default:
		line.State, line.Class = words["printed"]+" "+e.Printed.In(p.Zone).Format(time.TimeOnly), "printed"
		if e.Copies > 1 {
			line.State += fmt.Sprintf(" ×%d", e.Copies)
		}
	}
	return line
}

// changes streams a word at each change, upon which the page loads itself anew.
func (p *Page) changes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	for {
		_, changed := p.Book.NextToPrint()
		noticed := p.notices()
		if _, err := fmt.Fprint(w, "data: changed\n\n"); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-noticed:
		case <-time.After(heartbeat):
		}
	}
}

func (p *Page) printAgain(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	found, err := p.Book.PrintAgain(r.PostFormValue("id"))
	switch {
	case err != nil:
		p.Log.Error("Could not store that an order is to be printed again", "problem", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
	case !found:
		http.Error(w, "there is no such order", http.StatusNotFound)
	default:
		http.Redirect(w, r, "/?lang="+languageOf(r), http.StatusSeeOther)
	}
}

// languageOf returns the language that was chosen, else the browser's.
func languageOf(r *http.Request) string {
	accepted, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	chosen := cmp.Or(r.FormValue("lang"), accepted)
	if strings.HasPrefix(strings.ToLower(chosen), "zh") {
		return "zh"
	}
	return "en"
}
