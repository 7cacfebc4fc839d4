package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// Every namespace has two EventSinks: the receiver of one fails sometimes, and that of the other never answers, which
// must not delay anything else.
const (
	takingSink  = "orders"
	hangingSink = "hanging"
)

// signingKey is for the soak only.
var signingKey = "whsec_" + base64.StdEncoding.EncodeToString([]byte("SoakOnlySigningKey0SoakOnlyKey00"))

// listener is the receiver of all EventSinks. It runs in the soak's own process, which is not killed.
type listener struct {
	server  *httptest.Server
	webhook *standardwebhooks.Webhook

	mutex  sync.Mutex
	chance *rand.Rand
	calm   bool
	events []judge.Event
	counts tally
}

func startListener(seed uint64) (*listener, error) {
	webhook, err := standardwebhooks.NewWebhook(signingKey)
	if err != nil {
		return nil, err
	}
	l := &listener{webhook: webhook, chance: rand.New(rand.NewPCG(seed, 2<<40)), counts: tally{}}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /"+takingSink+"/{namespace}", l.receive)
	routes.HandleFunc("POST /"+hangingSink+"/{namespace}", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices that the client is gone once the body is read
		<-r.Context().Done()
	})
	l.server = httptest.NewUnstartedServer(routes)
	l.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that the soak's own strikes break
	l.server.StartTLS()
	return l, nil
}

// receive accepts an event, or fails before or after that.
func (l *listener) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fails := l.draw()
	switch fails {
	case "answered 503":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "not answered":
		<-r.Context().Done()
		return
	case "cut off":
		panic(http.ErrAbortHandler)
	}
	if err := l.webhook.Verify(body, r.Header); err != nil {
		l.count("badly signed")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	l.take(r.PathValue("namespace"), r.Header, body)
	if fails == "cut off after it was taken" {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

// draw chooses how the receiver fails; empty if it does not.
func (l *listener) draw() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	how := ""
	if drawn := l.chance.Float64(); !l.calm {
		switch {
		case drawn < 0.1:
			how = "answered 503"
		case drawn < 0.13:
			how = "not answered"
		case drawn < 0.16:
			how = "cut off"
		case drawn < 0.2:
			how = "cut off after it was taken"
		}
	}
	if how != "" {
		l.counts[how]++
	}
	return how
}

func (l *listener) count(what string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.counts[what]++
}

// take records a verified event.
func (l *listener) take(namespace string, header http.Header, body []byte) {
	uid, _, _ := strings.Cut(header.Get("ce-id"), "/")
	var data struct{ State, TransactionID string }
	_ = json.Unmarshal(body, &data) // without a state it is an event that the judge does not believe
	kind := v1alpha1.EventType(strings.TrimPrefix(header.Get("ce-type"), "io.wechatpay-operator."))
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.events = append(l.events, judge.Event{Namespace: namespace, UID: types.UID(uid), Type: kind, State: data.State, TransactionID: data.TransactionID})
	l.counts[string(kind)+", taken"]++
}

// taken returns a copy of what was taken.
func (l *listener) taken() []judge.Event {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return append([]judge.Event(nil), l.events...)
}

func (l *listener) counted() tally {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	counts := tally{}
	for what, count := range l.counts {
		counts[what] = count
	}
	return counts
}

// calmDown ends the failures of the receiver that takes events.
func (l *listener) calmDown() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.calm = true
}

func (l *listener) close() {
	l.server.CloseClientConnections() // ends what hangs, which Close would wait for
	l.server.Close()
}

func authorityOf(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// openSinks creates the EventSinks before anything happens that they have to tell.
func openSinks(ctx context.Context, admin client.Client, l *listener) error {
	for _, namespace := range namespaces() {
		objects := []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "events"}, StringData: map[string]string{"signingKey": signingKey}}}
		for _, name := range []string{takingSink, hangingSink} {
			objects = append(objects, &v1alpha1.EventSink{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
				Spec: v1alpha1.EventSinkSpec{
					URL: l.server.URL + "/" + name + "/" + namespace, CABundle: authorityOf(l.server.Certificate()),
					SecretRef: v1alpha1.SigningKeyReference{Name: "events"},
				},
			})
		}
		if err := createAll(ctx, admin, objects); err != nil {
			return err
		}
	}
	return nil
}

// givenUp reads how many events the EventSinks have given up whose receiver takes them.
func givenUp(ctx context.Context, admin client.Client) (map[string]int64, error) {
	var sinks v1alpha1.EventSinkList
	if err := admin.List(ctx, &sinks); err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, sink := range sinks.Items {
		if sink.Name != takingSink {
			continue
		}
		counts[sink.Namespace] = 0
		if sink.Status.GivenUp != nil {
			counts[sink.Namespace] = *sink.Status.GivenUp
		}
	}
	return counts, nil
}
