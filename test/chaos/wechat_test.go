package chaos_test

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// notifyBase is the operator's public address. Nothing listens there: the simulator's HTTP client
// calls the process directly.
const notifyBase = "http://operator.example"

// network is the connection from the operator to WeChat Pay, which can be cut.
type network struct {
	w               *world
	primary, backup *httptest.Server
	through         *http.Client
	certified       *http.Client
	// fate is what happens to the retry of a call on the backup host.
	fate map[string]outcome
	// held are delayed calls; w.mutex guards them.
	held []heldCall
}

// heldCall is a call that arrives after its caller has given up.
type heldCall struct {
	request *http.Request
	body    []byte
	backup  bool
	at      time.Time
}

// onItsWay is the delay of a call that arrives late. It is below Timing.NotExistGrace: the operator
// considers a call lost after that time.
const onItsWay = 20 * time.Second

func (l *network) hold(request *http.Request, body []byte, backup bool) {
	l.w.mutex.Lock()
	defer l.w.mutex.Unlock()
	l.held = append(l.held, heldCall{request, body, backup, l.w.clock.Now().Add(onItsWay)})
}

// onTheWay returns the times at which the delayed calls arrive.
func (l *network) onTheWay() []time.Time {
	l.w.mutex.Lock()
	defer l.w.mutex.Unlock()
	var moments []time.Time
	for _, call := range l.held {
		moments = append(moments, call.at)
	}
	return moments
}

// arrive delivers the delayed calls that are due.
func (l *network) arrive() {
	now := l.w.clock.Now()
	l.w.mutex.Lock()
	calls := l.held
	l.held = slices.DeleteFunc(slices.Clone(calls), func(call heldCall) bool { return !call.at.After(now) })
	l.w.mutex.Unlock()
	for _, call := range calls {
		if call.at.After(now) {
			continue
		}
		_, content, err := l.forward(call.request, call.body, call.backup)
		l.w.must(err)
		l.w.note("arrived: %s:%s", call.request.URL.Path, words(content))
		l.w.checkArrival(call, strings.Contains(words(content), "result_code=SUCCESS"))
	}
}

func openNetwork(w *world) *network {
	l := &network{w: w, fate: map[string]outcome{}}
	roots := w.sim.CertPool()
	l.through = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	l.certified = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{w.suite.pair}}}}
	open := func(backup bool) *httptest.Server {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) { l.serve(answer, request, backup) }))
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.StartTLS()
		return server
	}
	l.primary, l.backup = open(false), open(true)
	return l
}

func (l *network) close() {
	l.primary.Close()
	l.backup.Close()
	l.through.CloseIdleConnections()
	l.certified.CloseIdleConnections()
}

var (
	field = regexp.MustCompile(`<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</`)
	told  = regexp.MustCompile(`<(return_msg|result_code|err_code|trade_state|refund_status_0)>(?:<!\[CDATA\[)?([^<\]]+)`)
)

// fieldsOf returns the fields of a request.
func fieldsOf(body []byte) map[string]string {
	fields := map[string]string{}
	for _, found := range field.FindAllSubmatch(body, -1) {
		fields[string(found[1])] = string(found[2]) + string(found[3])
	}
	return fields
}

// serve handles one attempt of a call.
func (l *network) serve(answer http.ResponseWriter, request *http.Request, backup bool) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	w := l.w
	p := w.processNamed(request.UserAgent())
	operation := request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:]
	fields := fieldsOf(body)
	number := cmp.Or(fields["out_refund_no"], fields["out_trade_no"], "?")
	if p == nil || p.isDead() {
		drop(answer)
		return
	}
	met := l.fate[p.name]
	if !backup {
		w.checkCall(p, operation, number, fields)
		met = w.reach(p, step{verb: operation, on: number})
		l.fate[p.name] = met.repeated()
	}
	if met.before != nil {
		w.note("%s: %s %s: %v", p.name, operation, number, met.before)
		drop(answer)
		return
	}
	if met.late {
		w.note("%s: %s %s: is on its way", p.name, operation, number)
		l.hold(request, body, backup)
		drop(answer)
		return
	}
	if met.forged {
		w.note("%s: %s %s: a forged answer", p.name, operation, number)
		_, _ = answer.Write(forgedAnswer(operation, fields))
		return
	}
	response, content, err := l.forward(request, body, backup)
	if err != nil {
		w.violate("the connection to WeChat Pay broke: %v", err)
		drop(answer)
		return
	}
	w.note("%s: %s %s:%s", p.name, operation, number, words(content))
	if met.after != nil {
		w.note("%s: %s %s: %v", p.name, operation, number, met.after)
		drop(answer)
		return
	}
	answer.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	answer.WriteHeader(response.StatusCode)
	_, _ = answer.Write(content) // a disconnected client misses the response
}

// words summarizes a reply for the trace.
func words(content []byte) string {
	said := ""
	for _, found := range told.FindAllSubmatch(content, -1) {
		said += " " + string(found[1]) + "=" + string(found[2])
	}
	return said
}

func (l *network) forward(request *http.Request, body []byte, backup bool) (*http.Response, []byte, error) {
	target := l.w.sim.URL()
	if backup {
		target = l.w.sim.BackupURL()
	}
	onward, err := http.NewRequest(request.Method, target+request.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	onward.Header.Set("Content-Type", request.Header.Get("Content-Type"))
	way := l.through
	if request.TLS != nil && len(request.TLS.PeerCertificates) > 0 {
		way = l.certified
	}
	response, err := way.Do(onward)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response, content, err
}

// drop resets a connection, so that the client does not learn the result.
func drop(answer http.ResponseWriter) {
	connection, _, err := http.NewResponseController(answer).Hijack()
	if err != nil {
		return
	}
	if wrapped, isTLS := connection.(*tls.Conn); isTLS {
		connection = wrapped.NetConn()
	}
	if tcp, isTCP := connection.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

var errNobody = errors.New("connection refused")

// RoundTrip passes a callback to the process that receives them, when nothing else is in progress.
func (l *network) RoundTrip(request *http.Request) (*http.Response, error) {
	w := l.w
	w.turn.Lock()
	defer w.turn.Unlock()
	p := w.receiver()
	if p == nil || p.isDead() {
		w.note("WeChat Pay: nobody takes the callback %s", request.URL.Path)
		return nil, errNobody
	}
	w.calledBack = true
	defer func() { w.calledBack = false }()
	w.note("WeChat Pay: callback %s", request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:])
	recorder := httptest.NewRecorder()
	incoming := request.Clone(request.Context())
	incoming.RequestURI = request.URL.RequestURI()
	p.callbacks.ServeHTTP(recorder, incoming)
	if p.isDead() {
		return nil, errDead
	}
	w.note("%s: answers the callback %s", p.name, strings.Join(strings.Fields(recorder.Body.String()), " "))
	if strings.Contains(recorder.Body.String(), "SUCCESS") {
		w.checkAcknowledged()
	}
	return recorder.Result(), nil
}

// simulate starts a simulator for one run.
func simulate(w *world) (*simulator.Simulator, error) {
	return simulator.New(simulator.Options{
		Merchants:       []simulator.Merchant{{MchID: mchID, AppIDs: []string{appID}, APIKey: apiKey}},
		CallbackClient:  &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return w.network.RoundTrip(r) })},
		CallbackWorkers: 1, // sequentially
		CallbackTimeout: patience,
		CertificateDir:  w.suite.certificates,
		Now:             w.clock.Now,
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
