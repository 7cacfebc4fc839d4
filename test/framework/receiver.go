package framework

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// SigningKey is the key in the Secret that NewEventSink names.
var SigningKey = "whsec_" + base64.StdEncoding.EncodeToString([]byte("TestOnlySigningKey0TestOnlyKey00"))

// Receiver is a server that takes the events of an EventSink and verifies their signatures.
type Receiver struct {
	server *httptest.Server
	t      testing.TB

	mutex    sync.Mutex
	answer   func(Received, http.ResponseWriter, *http.Request)
	key      string
	accepted []Received
	attempts int
}

// Received is an event as it arrived.
type Received struct {
	ID, Type, Source, Subject, Time string
	Data                            map[string]any
	Body                            string
}

// NewReceiver starts a Receiver that accepts everything that is signed with SigningKey.
func NewReceiver(t testing.TB) *Receiver {
	r := &Receiver{t: t, key: SigningKey}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.receive))
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0) // some tests make TLS fail
	r.server.StartTLS()
	t.Cleanup(func() {
		r.server.CloseClientConnections() // ends what Hang holds, which Close would wait for
		r.server.Close()
	})
	return r
}

// URL returns the address for spec.url.
func (r *Receiver) URL() string { return r.server.URL + "/wechatpay" }

// CAPEM returns the authority of the server's certificate.
func (r *Receiver) CAPEM() []byte { return authority(r.server.Certificate()) }

func authority(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// AnswerWith replaces the acceptance: the function answers instead, and what it answers to does not
// count as accepted. Nil accepts again.
func (r *Receiver) AnswerWith(answer func(Received, http.ResponseWriter, *http.Request)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.answer = answer
}

// Status answers with a status.
func Status(status int) func(Received, http.ResponseWriter, *http.Request) {
	return func(_ Received, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// Hang answers nothing until the client closes the connection.
func Hang(_ Received, _ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }

// Trust changes the key that signatures are verified with.
func (r *Receiver) Trust(key string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.key = key
}

func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	r.mutex.Lock()
	webhook, err := standardwebhooks.NewWebhook(r.key)
	r.mutex.Unlock()
	if err != nil || webhook.Verify(body, request.Header) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h := request.Header
	event := Received{ID: h.Get("ce-id"), Type: strings.TrimPrefix(h.Get("ce-type"), "io.wechatpay-operator."), Source: h.Get("ce-source"), Subject: h.Get("ce-subject"), Time: h.Get("ce-time"), Body: string(body)}
	if h.Get("ce-specversion") != "1.0" || h.Get("webhook-id") != event.ID || h.Get("content-type") != "application/json" || json.Unmarshal(body, &event.Data) != nil {
		r.t.Errorf("not a CloudEvent in binary mode: %v %s", h, body)
	}
	r.mutex.Lock()
	r.attempts++
	answer := r.answer
	if answer == nil {
		r.accepted = append(r.accepted, event)
	}
	r.mutex.Unlock()
	if answer != nil {
		answer(event, w, request)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Attempts returns how many signed events arrived, accepted or not.
func (r *Receiver) Attempts() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.attempts
}

// Accepted returns the accepted events in the order of their arrival.
func (r *Receiver) Accepted() []Received {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.accepted)
}

// First returns the accepted events as "name: type", each once, in the order of first arrival.
func (r *Receiver) First() []string {
	var first []string
	for _, event := range r.Accepted() {
		if text := fmt.Sprintf("%v: %s", event.Data["name"], event.Type); !slices.Contains(first, text) {
			first = append(first, text)
		}
	}
	return first
}

// NewEventSink returns an EventSink for a Receiver.
func (s *Shop) NewEventSink(name string, receiver *Receiver, change ...func(*v1alpha1.EventSink)) *v1alpha1.EventSink {
	return changed(&v1alpha1.EventSink{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name},
		Spec: v1alpha1.EventSinkSpec{
			URL: receiver.URL(), CABundle: receiver.CAPEM(),
			SecretRef: v1alpha1.SigningKeyReference{Name: "events"},
		},
	}, change)
}

// NewSigningKey returns the Secret that NewEventSink names.
func (s *Shop) NewSigningKey(namespace, key string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "events"}, Data: map[string][]byte{"signingKey": []byte(key)}}
}

// WaitEventSink waits until an EventSink has a condition in a state.
func (s *Shop) WaitEventSink(name, state string) *v1alpha1.EventSink {
	s.T.Helper()
	return waitFor(s, &v1alpha1.EventSink{}, name, state)
}
