package v3

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// request is a request that reached a test server.
type request struct {
	method, target, body string
	header               http.Header
}

// server simulates one WeChat Pay host. It refuses the test if a request is not signed as WeChat
// demands.
type server struct {
	*httptest.Server
	clock *clock
	// key signs the answers, unless the answer itself says otherwise.
	key string

	mu       sync.Mutex
	requests []request
	// downloads answers GET /v3/certificates.
	downloads answer
	fetched   int
}

// answer is WeChat Pay's part in one call.
type answer func(s *server, w http.ResponseWriter, r *http.Request)

func newServer(t testing.TB, reply answer) *server {
	t.Helper()
	s := &server{clock: newClock(), key: "wechatpay_pub", downloads: lists("platform_a", "platform_b")}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		merchant := []*x509.Certificate{testKeys()["merchant"].certificate}
		if _, err := oracleAuthorization(r.Header.Get("Authorization"), r.Method, r.RequestURI, string(body), s.clock.Now(), merchant); err != nil {
			t.Errorf("%s %s is not signed: %v", r.Method, r.RequestURI, err)
		}
		w.Header().Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
		if r.URL.Path == certificatesPath {
			s.mu.Lock()
			s.fetched++
			list := s.downloads
			s.mu.Unlock()
			list(s, w, r)
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, request{r.Method, r.RequestURI, string(body), r.Header.Clone()})
		s.mu.Unlock()
		reply(s, w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// seen returns the requests that reached the server, but for downloads of certificates.
func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// downloaded returns how often the certificates were asked for.
func (s *server) downloaded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetched
}

func (s *server) setDownloads(reply answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.downloads = reply
}

// only returns the single request that reached the server.
func (s *server) only(t testing.TB) request {
	t.Helper()
	seen := s.seen()
	if len(seen) != 1 {
		t.Fatalf("%d requests reached the server, not one", len(seen))
	}
	return seen[0]
}

// options returns Options to reach and trust the server, and the backup if there is one.
func (s *server) options(t testing.TB, backup ...*server) Options {
	t.Helper()
	options := testOptions()
	options.Now = s.clock.Now
	options.RootCAs = x509.NewCertPool()
	options.RootCAs.AddCert(s.Certificate())
	options.Endpoint = mustParse(t, s.URL)
	for _, b := range backup {
		b.clock = s.clock
		options.BackupEndpoint = mustParse(t, b.URL)
		options.RootCAs.AddCert(b.Certificate())
	}
	return options
}

func mustParse(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (s *server) client(t testing.TB, backup ...*server) *Client {
	t.Helper()
	return newTestClient(t, s.options(t, backup...))
}

// partnerClient is the client of a service provider.
func (s *server) partnerClient(t testing.TB) *Client {
	t.Helper()
	options := s.options(t)
	options.Partner = testPartner()
	return newTestClient(t, options)
}

// Signatures of WeChat, written apart from the client.

// oracleHeaders signs a body as WeChat does.
func oracleHeaders(key keyPair, now time.Time, body string) http.Header {
	timestamp, nonce := strconv.FormatInt(now.Unix(), 10), rand.Text()
	digest := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + body + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, key.private, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return http.Header{
		headerTimestamp: {timestamp}, headerNonce: {nonce}, headerSerial: {key.serial},
		headerSignature: {base64.StdEncoding.EncodeToString(signature)}, headerSignatureType: {string(SHA256WithRSA)},
	}
}

var authorizationForm = regexp.MustCompile(`^([a-z_]+)="([^"]*)"$`)

// oracleAuthorization verifies a request as WeChat does, and returns the merchant number.
func oracleAuthorization(header, method, target, body string, now time.Time, known []*x509.Certificate) (string, error) {
	rest, found := strings.CutPrefix(header, "WECHATPAY2-SHA256-RSA2048 ")
	if !found {
		return "", errors.New("scheme")
	}
	said := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		pair := authorizationForm.FindStringSubmatch(part)
		if pair == nil {
			return "", errors.New("form")
		}
		said[pair[1]] = pair[2]
	}
	seconds, err := strconv.ParseInt(said["timestamp"], 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return "", errors.New("timestamp")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(said["signature"])
	if err != nil {
		return "", errors.New("base64")
	}
	for _, certificate := range known {
		if serialOf(certificate) != said["serial_no"] {
			continue
		}
		digest := sha256.Sum256([]byte(method + "\n" + target + "\n" + said["timestamp"] + "\n" + said["nonce_str"] + "\n" + body + "\n"))
		key, _ := certificate.PublicKey.(*rsa.PublicKey)
		return said["mchid"], rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
	}
	return "", errors.New("serial")
}

// oracleSeal encrypts a resource as WeChat does.
func oracleSeal(key, content, associated, originalType string) resource {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce := rand.Text()[:12]
	return resource{
		Algorithm: "AEAD_AES_256_GCM", Nonce: nonce, AssociatedData: associated, OriginalType: originalType,
		Ciphertext: base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(content), []byte(associated))),
	}
}

func jsonOf(value any) string {
	written, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(written)
}

// Answers of the test servers.

// says answers with a body that the server's key signs.
func says(status int, body string) answer {
	return func(s *server, w http.ResponseWriter, r *http.Request) { saysBy(s.key, status, body)(s, w, r) }
}

// saysBy answers with a body that a key signs.
func saysBy(key string, status int, body string) answer {
	return func(s *server, w http.ResponseWriter, _ *http.Request) {
		write(w, oracleHeaders(testKeys()[key], s.clock.Now(), body), status, body)
	}
}

func write(w http.ResponseWriter, header http.Header, status int, body string) {
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// unsigned answers without a signature.
func unsigned(status int, body string) answer {
	return func(_ *server, w http.ResponseWriter, _ *http.Request) { write(w, nil, status, body) }
}

// forged answers with headers that change made of right ones.
func forged(status int, body string, change func(http.Header)) answer {
	return func(s *server, w http.ResponseWriter, _ *http.Request) {
		header := oracleHeaders(testKeys()[s.key], s.clock.Now(), body)
		change(header)
		write(w, header, status, body)
	}
}

// errorBody is the body of an error answer.
func errorBody(code, message string) string {
	return jsonOf(map[string]any{"code": code, "message": message})
}

// fails answers with a signed error.
func fails(status int, code string) answer { return says(status, errorBody(code, "文字")) }

// lists answers with certificates, signed by the first of them.
func lists(names ...string) answer {
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		saysBy(names[0], http.StatusOK, listOf(testKey, names...))(s, w, r)
	}
}

func listOf(key string, names ...string) string {
	var data []map[string]any
	for _, name := range names {
		pair := testKeys()[name]
		sealed := oracleSeal(key, string(pair.pem), "certificate", "")
		data = append(data, map[string]any{"serial_no": pair.serial, "encrypt_certificate": map[string]string{
			"algorithm": sealed.Algorithm, "nonce": sealed.Nonce, "associated_data": sealed.AssociatedData, "ciphertext": sealed.Ciphertext,
		}})
	}
	return jsonOf(map[string]any{"data": data})
}

// hangsUp closes the connection.
func hangsUp(_ *server, w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

// inTurn gives one answer after the other, and repeats the last.
func inTurn(answers ...answer) answer {
	var mu sync.Mutex
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		next(s, w, r)
	}
}

// hosts is a Trust that tests look into.
type hosts struct {
	mu     sync.Mutex
	proven map[string]bool
}

func (h *hosts) Proven(host *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proven[host.Host]
}

func (h *hosts) Prove(host *url.URL) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proven == nil {
		h.proven = map[string]bool{}
	}
	h.proven[host.Host] = true
}

var _ wechatpay.Trust = (*hosts)(nil)
