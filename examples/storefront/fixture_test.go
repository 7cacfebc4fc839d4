package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	controlplane.Main(withoutSecrets{m}, &env, nil)
}

// logged is what all storefronts of this package logged.
var logged logbook

type logbook struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logbook) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

// withoutSecrets fails if any test had a secret or an openid logged.
type withoutSecrets struct{ *testing.M }

func (m withoutSecrets) Run() int {
	code := m.M.Run()
	logged.mutex.Lock()
	defer logged.mutex.Unlock()
	for _, secret := range []string{appSecret, framework.OpenID, "session_key"} {
		if strings.Contains(logged.text.String(), secret) {
			fmt.Fprintf(os.Stderr, "%q was logged\n", secret)
			code = 1
		}
	}
	return code
}

const products = `products:
- {id: soap, name: 肥皂, price: 101, stock: 10}
- {id: towel, name: 毛巾, price: 2990, stock: 1000}
`

// shopFixture is a shop with a Merchant, and storefronts in front of it that run under the shipped role.
type shopFixture struct {
	*framework.Shop
	settings settings
	config   *rest.Config
	weixin   *fakeWeixin
}

// replica is a running storefront.
type replica struct {
	base string
	stop func()
}

func openShop(t *testing.T, options ...framework.Option) *shopFixture {
	t.Helper()
	f := &shopFixture{Shop: framework.Open(t, env, options...), weixin: newFakeWeixin(t)}
	f.Create(f.NewMerchant())
	f.WaitMerchant("shop", "Ready=True/Ready")
	folder := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(folder, name)
		f.Must(os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	f.settings = settings{
		namespace: f.Namespace, merchant: "shop", numberPrefix: "shop-", payWithin: 15 * time.Minute, wait: framework.Patience,
		catalogue: write("catalogue.yaml", products), sessionFor: time.Hour,
		keys:        write("keys", base64.StdEncoding.EncodeToString([]byte("TestOnlyKey00000TestOnlyKey00000"))),
		weixinURL:   f.weixin.URL,
		weixinCA:    write("ca.pem", f.weixin.authority()),
		miniProgram: app{framework.AppID, write("appSecret", appSecret+"\n")},
		h5Name:      "商店", h5URL: "https://shop.example.com",
	}
	f.config = f.shopRights("storefront-" + f.Namespace)
	return f
}

// shopRights binds the shipped role to a user, and returns their configuration.
func (f *shopFixture) shopRights(user string) *rest.Config {
	f.OperatorConfig() // with it come the roles
	f.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: "storefront"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-shop"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	config, err := env.User(user)
	f.Must(err)
	return config
}

// start runs a storefront until the test ends or stops it.
func (f *shopFixture) start(change ...func(*settings)) *replica {
	f.T.Helper()
	s := f.settings
	pages, err := net.Listen("tcp", "127.0.0.1:0")
	f.Must(err)
	health, err := net.Listen("tcp", "127.0.0.1:0")
	f.Must(err)
	s.advertise = pages.Addr().String()
	for _, c := range change {
		c(&s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, f.config, s, pages, health) }()
	r := &replica{base: "http://" + pages.Addr().String()}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			f.T.Errorf("the storefront ended: %v", err)
		}
	})
	f.T.Cleanup(r.stop)
	f.Eventually("the storefront is ready", func() error {
		response, err := http.Get("http://" + health.Addr().String() + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
	return r
}

// page is what runs at the payer's.
type page struct {
	t     testing.TB
	base  string
	token string
}

// answer is what a page reads of an answer.
type answer struct {
	Status      int    `json:"-"`
	RetryAfter  string `json:"-"`
	Text        string `json:"-"`
	Code        int
	Message     string
	Token       string
	ExpiresIn   int
	Ticket      string
	OrderNumber string
	PayInfo     map[string]string
	CodeURL     string
	MWEBURL     string
	State       string
	Description string
	Total       int64
	Currency    string
	PaidTime    string
	Products    []productOnSale
	Orders      []orderView
	Refunded    int64
	Refunds     []refundView

	RefundNumber string
}

func (p page) call(method, path, body string) answer {
	request, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return answer{}
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Error(err)
		return answer{}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	a := answer{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After"), Text: string(content)}
	if err = errors.Join(err, json.Unmarshal(content, &a)); err != nil {
		p.t.Errorf("%s %s: %v: %s", method, path, err, content)
	}
	return a
}

func (p page) get(path string) answer        { return p.call(http.MethodGet, path, "") }
func (p page) post(path, body string) answer { return p.call(http.MethodPost, path, body) }

// refused fails the test unless the answer has a code, with its HTTP status and a message.
func (a answer) refused(t testing.TB, code int) {
	t.Helper()
	if a.Code != code || a.Status != statuses[code] || (code != 0 && a.Message == "") {
		t.Errorf("answered %d %s, not code %d", a.Status, a.Text, code)
	}
}

func (a answer) ok(t testing.TB) answer {
	t.Helper()
	if a.Code != codeSuccess || a.Status/100 != 2 {
		t.Fatalf("answered %d %s", a.Status, a.Text)
	}
	return a
}

// visit opens a page of somebody who is logged in.
func (f *shopFixture) visit(r *replica, openID string) page {
	f.T.Helper()
	p := page{t: f.T, base: r.base}
	p.token = p.post("/login", `{"code":"`+f.weixin.code(openID)+`"}`).ok(f.T).Token
	return p
}

func (f *shopFixture) visitAsGuest(r *replica) page {
	f.T.Helper()
	p := page{t: f.T, base: r.base}
	p.token = p.post("/login", `{"source":"Browser"}`).ok(f.T).Token
	return p
}

// pay does what wx.requestPayment does with payInfo. The simulator verifies its signature.
func (f *shopFixture) pay(a answer) {
	f.T.Helper()
	_, err := f.WeChat.RequestPayment(clientPayment(a), simulator.PayOptions{})
	f.Must(err)
	f.WaitOrder(a.OrderNumber, "Paid=True/Paid")
}

func clientPayment(a answer) simulator.ClientPayment {
	p := a.PayInfo
	return simulator.ClientPayment{
		AppID: p["appId"], TimeStamp: p["timeStamp"], NonceStr: p["nonceStr"], Package: p["package"], SignType: p["signType"], PaySign: p["paySign"],
	}
}

// shows waits until the storefront shows an order in a state: its watch may be a moment behind.
func (f *shopFixture) shows(p page, number, state string) answer {
	f.T.Helper()
	var a answer
	f.Eventually("the page shows "+number+" as "+state, func() error {
		if a = p.get("/orders/" + number).ok(f.T); a.State != state {
			return errors.New(a.State)
		}
		return nil
	})
	return a
}
