package chaos_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// notifyBase is the operator's public address. Nothing listens there: the simulator's HTTP client
// calls the process directly.
const notifyBase = "http://operator.example"

// network is the connection from the operator to WeChat Pay, which can be cut.
type network struct {
	w               *world
	primary, backup *httptest.Server
	// weixin is api.weixin.qq.com.
	weixin    *httptest.Server
	toWeixin  *http.Client
	through   *http.Client
	certified *http.Client
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
		if !l.isPay(call.request) {
			made := readWeixinCall(call.request, call.body)
			_, content, err := l.forwardWeixin(call.request, call.body)
			l.w.must(err)
			l.w.note("arrived: %s %s: %s", made.operation, made.number, weixinWords(content))
			continue
		}
		response, content, err := l.forward(call.request, call.body, call.backup)
		l.w.must(err)
		made := readCall(call.request, call.body)
		l.w.note("arrived: %s %s:%s", made.operation, made.number, words(response, content))
		l.w.checkArrival(made, made.isDone(response, content))
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
	l.openWeixin()
	return l
}

func (l *network) close() {
	l.primary.Close()
	l.backup.Close()
	l.weixin.Close()
	l.toWeixin.CloseIdleConnections()
	l.through.CloseIdleConnections()
	l.certified.CloseIdleConnections()
}

// isPay reports whether a call is one of WeChat Pay's API.
func (l *network) isPay(request *http.Request) bool {
	return !strings.HasPrefix(request.URL.Path, "/wxa/") && !strings.HasPrefix(request.URL.Path, "/cgi-bin/")
}

// serve handles one attempt of a call.
func (l *network) serve(answer http.ResponseWriter, request *http.Request, backup bool) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	w := l.w
	p := w.processNamed(request.UserAgent())
	made := readCall(request, body)
	operation, number := made.operation, made.number
	if p == nil || p.isDead() {
		simulation.DropConnection(answer)
		return
	}
	met := l.fate[p.name]
	switch {
	case operation == "certificates", operation == operationBill: // a reaction to an unknown signer, or what the test asks for
		met = outcome{}
	case !backup:
		w.checkCall(p, made)
		met = w.reach(p, step{verb: operation, on: number})
		l.fate[p.name] = met.repeated()
	}
	if w.breaksOff(answer, p, operation+" "+number, met.before) {
		return
	}
	if met.late {
		w.note("%s: %s %s: is on its way", p.name, operation, number)
		l.hold(request, body, backup)
		simulation.DropConnection(answer)
		return
	}
	if met.forged {
		w.note("%s: %s %s: a forged answer", p.name, operation, number)
		w.forgeAnswer(answer, made)
		return
	}
	response, content, err := l.forward(request, body, backup)
	if err != nil {
		w.violate("the connection to WeChat Pay broke: %v", err)
		simulation.DropConnection(answer)
		return
	}
	w.note("%s: %s %s:%s", p.name, operation, number, words(response, content))
	if w.breaksOff(answer, p, operation+" "+number, met.after) {
		return
	}
	for name, values := range response.Header {
		if name != "Content-Length" {
			answer.Header()[name] = values // signature and date included
		}
	}
	answer.WriteHeader(response.StatusCode)
	_, _ = answer.Write(content) // a disconnected client misses the response
}

// breaksOff resets the connection of a call that failed, so that its caller does not learn more.
func (w *world) breaksOff(answer http.ResponseWriter, p *process, what string, failure error) bool {
	if failure == nil {
		return false
	}
	w.note("%s: %s: %v", p.name, what, failure)
	simulation.DropConnection(answer)
	return true
}

func (l *network) forward(request *http.Request, body []byte, backup bool) (*http.Response, []byte, error) {
	target := l.w.sim.URL()
	if backup {
		target = l.w.sim.BackupURL()
	}
	onward, err := http.NewRequest(request.Method, target+request.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	onward.Header = request.Header.Clone()
	onward.Host = request.Host           // addresses in answers lead here
	onward.Header.Del("Accept-Encoding") // the client of this connection negotiates its own
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
	w.note("%s: answers the callback %d %s", p.name, recorder.Code, strings.Join(strings.Fields(recorder.Body.String()), " "))
	if isAcknowledged(recorder) {
		w.checkAcknowledged()
	}
	return recorder.Result(), nil
}

// simulate starts a simulator for one run.
func simulate(w *world) (*simulator.Simulator, error) {
	var subMerchants []simulator.SubMerchant
	if w.flow.provider {
		subMerchants = []simulator.SubMerchant{{SubMchID: subMchID, RefundRight: true}}
	}
	return simulator.New(simulator.Options{
		Merchants: []simulator.Merchant{{
			MchID: mchID, AppIDs: []string{appID}, APIKey: apiKey, APIV3Key: apiV3Key,
			Certificates: []string{string(w.suite.certificate.CertPEM)}, Verification: w.flow.verification,
			SubMerchants: subMerchants,
		}},
		CallbackClient:  &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return w.network.RoundTrip(r) })},
		CallbackWorkers: 1, // sequentially
		CallbackTimeout: patience,
		CertificateDir:  w.suite.certificates,
		Now:             w.clock.Now,
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
