package subscribe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/orders"
)

const (
	appID, appSecret = "wxd678efh567hg6787", "TestOnlyAppSecret0TestOnly000000"
	openID           = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// weixin plays api.weixin.qq.com. Its tokens are token-1, token-2 ...
type weixin struct {
	t      testing.TB
	tokens int
	// answers are taken one after the other; then each message is sent.
	answers []string
	sent    []map[string]any
	away    bool
}

func (w *weixin) RoundTrip(request *http.Request) (*http.Response, error) {
	if w.away {
		return nil, errors.New("no route")
	}
	var body map[string]any
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		w.t.Error(err)
	}
	answer := ""
	switch request.URL.Path {
	case "/cgi-bin/stable_token":
		if body["grant_type"] != "client_credential" || body["appid"] != appID || body["secret"] != appSecret {
			w.t.Errorf("%v", body)
		}
		w.tokens++
		answer = `{"access_token":"token-` + string(rune('0'+w.tokens)) + `","expires_in":7200}`
	case "/cgi-bin/message/subscribe/send":
		answer = `{"errcode":0,"errmsg":"ok"}`
		if len(w.answers) > 0 {
			answer, w.answers = w.answers[0], w.answers[1:]
		} else {
			body["token"] = request.URL.Query().Get("access_token")
			w.sent = append(w.sent, body)
		}
	default:
		w.t.Errorf("no such path: %s", request.URL.Path)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), Request: request}, nil
}

// payers knows who paid.
type payers struct {
	payer orders.Payer
	err   error
}

func (p *payers) Payer(context.Context, event.Event) (orders.Payer, error) { return p.payer, p.err }

// run sends the message of one order in a bubble and returns what was stored.
func run(t *testing.T, prepare func(*weixin, *payers)) (result string, fake *weixin, notice string) {
	folder, path := t.TempDir(), filepath.Join(t.TempDir(), "journal")
	for name, content := range map[string]string{"appID": appID, "appSecret": appSecret + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		book, _, err := desk.Open(path, 24*time.Hour, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		fake = &weixin{t: t}
		known, notices := &payers{payer: orders.Payer{OpenID: openID}}, &desk.Notices{}
		prepare(fake, known)
		fields, err := ParseFields("character_string1=number,amount2=amount,date3=paidTime,thing4=description")
		if err != nil {
			t.Fatal(err)
		}
		s := Sender{
			Base: "https://api.weixin.qq.com", SecretFolder: folder, Template: "template-1", Fields: fields, State: "formal", Page: "pages/Order/Order?number={number}",
			Zone: time.FixedZone("Beijing", 8*60*60), Payers: known, Client: &http.Client{Transport: fake}, Notices: notices,
			Log: slog.New(slog.NewTextHandler(&log, nil)), Pace: desk.Pace{First: time.Second, Most: 30 * time.Second},
		}
		e := fixture.Paid(t, "order-0001")
		if err := book.Receive(e); err != nil {
			t.Fatal(err)
		}
		if err := book.Describe(e.ID, desk.Goods{Description: "一块很香很香很香很香很香很香很香很香的肥皂"}); err != nil {
			t.Fatal(err)
		}
		go s.Run(t.Context(), book)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		entries, _ := book.Select(func(*desk.Entry) bool { return true })
		result = entries[0].Messaged
		problem, _ := notices.Of(desk.Payer)
		notice = problem.Text
	})
	for _, secret := range []string{openID, appSecret, "token-1"} {
		if strings.Contains(log.String()+notice, secret) {
			t.Errorf("%s is shown: %s", secret, log.String())
		}
		if content, err := os.ReadFile(path); err != nil || bytes.Contains(content, []byte(secret)) {
			t.Errorf("%s is stored (%v)", secret, err)
		}
	}
	return result, fake, notice
}

func TestPayerIsTold(t *testing.T) {
	result, fake, notice := run(t, func(*weixin, *payers) {})
	if result != Sent || notice != "" || len(fake.sent) != 1 {
		t.Fatal(result, notice, fake.sent)
	}
	got, err := json.Marshal(fake.sent[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"data":{"amount2":{"value":"1.01元"},"character_string1":{"value":"order-0001"},"date3":{"value":"2026-11-29 15:38:01"},"thing4":{"value":"一块很香很香很香很香很香很香很香很香的…"}},` +
		`"lang":"zh_CN","miniprogram_state":"formal","page":"pages/Order/Order?number=order-0001","template_id":"template-1","token":"token-1","touser":"` + openID + `"}`
	if string(got) != want {
		t.Errorf("%s", got)
	}
}

func TestWhatWeChatAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*weixin, *payers)
		result  string
		sent    int
		problem bool
	}{
		"not subscribed is no error": {func(w *weixin, _ *payers) {
			w.answers = []string{`{"errcode":43101,"errmsg":"user refuse to accept the msg"}`}
		}, NotSubscribed, 0, false},
		"an old token":             {func(w *weixin, _ *payers) { w.answers = []string{`{"errcode":42001}`} }, Sent, 1, false},
		"a token that never works": {func(w *weixin, _ *payers) { w.answers = []string{`{"errcode":40001}`, `{"errcode":40001}`} }, Failed, 0, true},
		"busy":                     {func(w *weixin, _ *payers) { w.answers = []string{`{"errcode":-1}`, `{"errcode":45011}`} }, Sent, 1, false},
		"a wrong template":         {func(w *weixin, _ *payers) { w.answers = []string{`{"errcode":40037,"errmsg":"invalid template_id"}`} }, Failed, 0, true},
		"away":                     {func(w *weixin, _ *payers) { w.away = true }, Failed, 0, true},
		"no payer":                 {func(_ *weixin, p *payers) { p.payer.OpenID = "" }, NoPayer, 0, false},
		"a payer of another app":   {func(_ *weixin, p *payers) { p.payer.AppID = "wxother" }, NoPayer, 0, false},
		"no API server":            {func(_ *weixin, p *payers) { p.err = errors.New("down") }, Failed, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			result, fake, notice := run(t, c.prepare)
			if result != c.result || len(fake.sent) != c.sent || (notice != "") != c.problem {
				t.Errorf("%s, %d sent, %q", result, len(fake.sent), notice)
			}
		})
	}
}
