package simulator

import (
	"cmp"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cashier is the page on which a person plays the payer: it shows the orders, and pays or leaves them. It works without scripts; the
// one it has renews the list, and reads codes with a camera.
type cashier struct{ *Simulator }

//go:embed cashier
var cashierFiles embed.FS

// cashierPages escape whatever a shop has written into an order.
var cashierPages = template.Must(template.New("").Funcs(template.FuncMap{"money": money}).ParseFS(cashierFiles, "cashier/*.html"))

// The addresses of the cashier. checkMWEB is that of an mweb_url at wx.tenpay.com.
const (
	cashierPath = "/cashier/"
	checkMWEB   = "/cgi-bin/mmpayweb-bin/checkmweb"
)

// serveCashier adds the cashier to the admin listener. Other sites that are open in the same browser can't pay through it.
func (s *Simulator) serveCashier(mux *http.ServeMux) {
	c := cashier{s}
	ownSite := http.NewCrossOriginProtection()
	mux.HandleFunc("GET /cashier/{$}", c.showOrders)
	mux.HandleFunc("GET /cashier/order", c.showOrder)
	mux.HandleFunc("GET /cashier/{file}", c.serveFile)
	mux.HandleFunc("GET "+checkMWEB, c.followMWEB)
	mux.Handle("POST /cashier/open", ownSite.Handler(http.HandlerFunc(c.openCode)))
	mux.Handle("POST /cashier/pay", ownSite.Handler(http.HandlerFunc(c.pay)))
	mux.Handle("POST /cashier/cancel", ownSite.Handler(http.HandlerFunc(c.cancel)))
}

// cashierPage is what the pages show.
type cashierPage struct {
	words
	// Language is the page's own, Other the one to change to.
	Language, Other string
	Problem         string
	Open, Ended     []payable
	Order           *payable
	// Back is where the browser goes after an MWEB payment.
	Back string
	// Result is what was just done: "paid" or "cancelled".
	Result string
}

// showOrders lists the orders that can be paid, and those that ended lately.
func (c cashier) showOrders(w http.ResponseWriter, r *http.Request) { c.list(w, r, http.StatusOK, "") }

func (c cashier) list(w http.ResponseWriter, r *http.Request, status int, problem string) {
	page := cashierPage{Problem: problem}
	page.Open, page.Ended = c.payables()
	c.render(w, r, status, "orders.html", page)
}

// showOrder shows one order with what the payer can do.
func (c cashier) showOrder(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	order, found := c.payable(query.Get("mch_id"), query.Get("out_trade_no"))
	if !found {
		c.list(w, r, http.StatusNotFound, languageOf(r).NoOrder)
		return
	}
	page := cashierPage{Order: &order, Back: webAddress(query.Get("redirect_url")), Result: query.Get("result")}
	if page.Back != "" && page.Result != "" {
		w.Header().Set("Refresh", "2; url="+page.Back) // as wx.tenpay.com returns
	}
	c.render(w, r, http.StatusOK, "order.html", page)
}

// openCode finds the order of what was scanned or pasted.
func (c cashier) openCode(w http.ResponseWriter, r *http.Request) {
	c.open(w, r, strings.TrimSpace(r.PostFormValue("code")), "")
}

// followMWEB opens the order of an mweb_url, to which the shop's page may have added where to return.
func (c cashier) followMWEB(w http.ResponseWriter, r *http.Request) {
	c.open(w, r, r.URL.String(), r.URL.Query().Get("redirect_url"))
}

func (c cashier) open(w http.ResponseWriter, r *http.Request, code, back string) {
	order, err := c.byCode(code)
	switch {
	case errors.Is(err, ErrPrepayExpired):
		c.list(w, r, http.StatusGone, languageOf(r).LinkTooOld)
	case err != nil:
		c.list(w, r, http.StatusNotFound, languageOf(r).NoOrder)
	default:
		http.Redirect(w, r, addressOf(order, back, ""), http.StatusSeeOther)
	}
}

// pay pays, also too late if that is wanted.
func (c cashier) pay(w http.ResponseWriter, r *http.Request) {
	_, err := c.Pay(r.PostFormValue("mch_id"), r.PostFormValue("out_trade_no"), PayOptions{Force: r.PostFormValue("late") != ""})
	c.conclude(w, r, err, "paid")
}

// cancel is the payer who looks at the payment and goes back.
func (c cashier) cancel(w http.ResponseWriter, r *http.Request) {
	c.conclude(w, r, c.turnBack(r.PostFormValue("mch_id"), r.PostFormValue("out_trade_no")), "cancelled")
}

// conclude shows the order again. What could not be done is seen in its state.
func (c cashier) conclude(w http.ResponseWriter, r *http.Request, err error, result string) {
	order := payable{MchID: r.PostFormValue("mch_id"), OutTradeNo: r.PostFormValue("out_trade_no")}
	if errors.Is(err, ErrNotFound) {
		c.list(w, r, http.StatusNotFound, languageOf(r).NoOrder)
		return
	}
	if err != nil {
		result = ""
	}
	http.Redirect(w, r, addressOf(order, r.PostFormValue("redirect_url"), result), http.StatusSeeOther)
}

func addressOf(order payable, back, result string) string {
	query := url.Values{"mch_id": {order.MchID}, "out_trade_no": {order.OutTradeNo}}
	if back = webAddress(back); back != "" {
		query.Set("redirect_url", back)
	}
	if result != "" {
		query.Set("result", result)
	}
	return cashierPath + "order?" + query.Encode()
}

// mwebBase is where an mweb_url leads.
func (s *Simulator) mwebBase() string {
	if s.cashierLinks {
		return s.admin
	}
	return "https://wx.tenpay.com"
}

// CashierURL returns the address of the page on which a person plays the payer.
func (s *Simulator) CashierURL() string { return s.admin + cashierPath }

// webAddress returns an address that a browser may be sent to, or nothing: not javascript:, nor one without a host.
func webAddress(text string) string {
	address, err := url.Parse(text)
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
		return ""
	}
	return address.String()
}

// contentPolicy lets the pages load what is embedded here, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (c cashier) render(w http.ResponseWriter, r *http.Request, status int, name string, page cashierPage) {
	page.words = languageOf(r)
	page.Language, page.Other = page.Code, cmp.Or(map[string]string{"zh-CN": "en"}[page.Code], "zh-CN")
	if chosen := r.URL.Query().Get("lang"); chosen != "" {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: page.Code, Path: cashierPath, SameSite: http.SameSiteStrictMode, HttpOnly: true})
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	if err := cashierPages.ExecuteTemplate(w, name, page); err != nil {
		c.logger.Debug("cashier", "error", err) // a browser that left
	}
}

// cashierAssets are the files that the pages load.
var cashierAssets = []string{"cashier.css", "cashier.js"}

func (c cashier) serveFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if !slices.Contains(cashierAssets, name) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(w, r, cashierFiles, "cashier/"+name)
}
