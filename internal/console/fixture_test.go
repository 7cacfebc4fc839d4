package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// received is a request as the API server received it.
type received struct {
	method, target string
	header         http.Header
	body           string
}

// apiServer replaces kube-apiserver in tests that only check what reaches it. test/browser/console has the real one.
type apiServer struct {
	*httptest.Server
	mutex sync.Mutex
	got   []received
	// answer is its response; by default 200 and {}.
	answer http.HandlerFunc
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mutex.Lock()
	a.got = append(a.got, received{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
	answer := a.answer
	a.mutex.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, "{}")
}

func (a *apiServer) requests() []received {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return append([]received(nil), a.got...)
}

// fixture is a console in front of an API server.
type fixture struct {
	*testing.T
	api     *apiServer
	console *Server
	url     string
	address string
	logged  *logged
	stop    context.CancelFunc
	stopped chan error
}

// logged keeps the log lines.
type logged struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func open(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	api := &apiServer{}
	api.Server = httptest.NewUnstartedServer(api)
	api.EnableHTTP2 = true
	api.StartTLS()
	t.Cleanup(api.Close)
	options := DefaultOptions()
	options.APIServer, options.InsecureCookies = api.URL, true
	options.APIServerCAFile = filepath.Join(t.TempDir(), "ca.crt")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	if err := os.WriteFile(options.APIServerCAFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&options)
	}
	log := &logged{}
	server, err := New(options, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &fixture{T: t, api: api, console: server, url: "http://" + listener.Addr().String(), address: listener.Addr().String(), logged: log, stop: stop, stopped: make(chan error, 1)}
	go func() { f.stopped <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-f.stopped; err != nil {
			t.Errorf("the console stopped with %v", err)
		}
		f.stopped <- nil
	})
	return f
}

// send makes a request, after applying changes to it.
func (f *fixture) send(method, target, body string, changes ...func(*http.Request)) *http.Response {
	f.Helper()
	request, err := http.NewRequestWithContext(f.Context(), method, f.url+target, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for _, change := range changes {
		change(request)
	}
	response, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func withToken(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func withHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func withCookie(cookie *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(cookie) }
}

// tokenUntil is a token with an expiry, like those of ServiceAccounts.
func tokenUntil(end time.Time) string {
	claims, _ := json.Marshal(map[string]int64{"exp": end.Unix()})
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(claims) + ".c2lnbmF0dXJl"
}

// raw sends bytes and returns the status line of the response.
func (f *fixture) raw(text string) string {
	f.Helper()
	connection, err := net.Dial("tcp", f.address)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := io.WriteString(connection, text); err != nil {
		f.Fatal(err)
	}
	answer, _ := io.ReadAll(connection)
	line, _, _ := strings.Cut(string(answer), "\r\n")
	return line
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
