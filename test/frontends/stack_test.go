package frontends

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const (
	// officialAppID is the appid of the official account, which is bound to the merchant number beside
	// the mini program's.
	officialAppID = "wx0ff1c1a1acc0un70"
	appSecret     = "TestOnlySecret00TestOnlySecret00"
)

// There is enough of the first product for every test, because most of them buy it.
const products = `products:
- {id: soap, name: 肥皂, price: 101, stock: 1000000}
- {id: towel, name: 毛巾, price: 2990, stock: 20}
- {id: sponge, name: 丝瓜络, price: 650, stock: 0}
`

// stack is a shop that pages talk to.
type stack struct {
	*framework.Shop
	url, staffURL string
	weixin        *weixin.Simulator
}

// open starts the operator, the simulators, and a storefront that serves a folder of pages.
func open(t *testing.T, env *controlplane.Environment, protocol v1alpha1.Protocol, storefront, pages string) *stack {
	t.Helper()
	s := &stack{Shop: framework.Open(t, env, framework.Speaking(protocol), framework.WithWeChat(func(o *simulator.Options) {
		o.Merchants[0].AppIDs = append(o.Merchants[0].AppIDs, officialAppID)
		o.TimeScale = 1 // a link of MWEB lives five minutes
	}))}
	s.Create(s.NewMerchant())
	s.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	s.openWeixin()
	s.staffURL = openStaff(s.Shop)
	s.startStorefront(env, storefront, pages)
	return s
}

func (s *stack) openWeixin() {
	certificate, err := s.WeChat.ServerCertificate()
	s.Must(err)
	s.weixin, err = weixin.New(weixin.Options{
		Certificate: certificate, Payments: weixin.WeChatPay(s.WeChat),
		MiniPrograms: []weixin.MiniProgram{
			{AppID: framework.AppID, AppSecret: appSecret},
			{AppID: officialAppID, AppSecret: appSecret, OfficialAccount: true},
		},
	})
	s.Must(err)
	s.T.Cleanup(s.weixin.Close)
}

// startStorefront runs the program with the rights of the ClusterRole wechatpay-operator-shop.
func (s *stack) startStorefront(env *controlplane.Environment, storefront, pages string) {
	s.T.Helper()
	folder := s.T.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(folder, name)
		s.Must(os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	user := "storefront-" + s.Namespace
	s.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "storefront"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-shop"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
	kubeconfig, err := env.Kubeconfig(user)
	s.Must(err)
	secret := write("appSecret", appSecret)
	command := exec.Command(storefront,
		"--kubeconfig", write("kubeconfig", string(kubeconfig)), "--namespace", s.Namespace, "--merchant", framework.MerchantName,
		"--bind-address", "127.0.0.1:0", "--health-bind-address", "127.0.0.1:0", "--static", pages,
		"--catalogue", write("catalogue.yaml", products),
		"--session-keys-file", write("keys", base64.StdEncoding.EncodeToString([]byte("TestOnlyKey00000TestOnlyKey00000"))),
		"--weixin-url", s.weixin.URL(), "--weixin-ca", write("ca.pem", string(s.WeChat.CAPEM())),
		"--appid", framework.AppID, "--appsecret-file", secret,
		"--official-account-appid", officialAppID, "--official-account-appsecret-file", secret,
		"--proxies", "1", "--h5-name", "肥皂店", "--h5-url", "https://shop.example.com")
	log, err := command.StderrPipe()
	s.Must(err)
	s.Must(command.Start())
	lines := bufio.NewReader(log)
	s.T.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(lines)
		if err := command.Wait(); err != nil || s.T.Failed() {
			s.T.Logf("the storefront ended (%v) and had logged:\n%s", err, rest)
		}
	})
	s.openIngress("http://" + s.addressIn(lines))
	s.Eventually("the storefront is open", func() error {
		answer, err := http.Get(s.url + "/catalog")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	})
}

// openIngress puts in front of the storefront what gives payers a public address, as WeChat Pay wants it of MWEB.
func (s *stack) openIngress(storefront string) {
	s.T.Helper()
	target, err := url.Parse(storefront)
	s.Must(err)
	ingress := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.7")
	}})
	s.T.Cleanup(ingress.Close)
	s.url = ingress.URL
}

// addressIn reads the storefront's log up to the line with its address.
func (s *stack) addressIn(log *bufio.Reader) string {
	s.T.Helper()
	for {
		line, err := log.ReadBytes('\n')
		if err != nil {
			s.T.Fatalf("the storefront did not open: %v: %s", err, line)
		}
		var said struct{ Msg, Address string }
		if json.Unmarshal(line, &said) == nil && said.Msg == "open" {
			return said.Address
		}
	}
}

// environment is what test/frontends/wechat/environment.mjs reads.
func (s *stack) environment() []string {
	return []string{
		"SHOP_URL=" + s.url, "STAFF_URL=" + s.staffURL,
		"SIMULATOR_ADMIN_URL=" + s.WeChat.AdminURL(), "WEIXIN_ADMIN_URL=" + s.weixin.AdminURL(),
		"MCH_ID=" + framework.MchID, "APP_ID=" + framework.AppID, "OFFICIAL_ACCOUNT_APP_ID=" + officialAppID,
		"CHROMIUM=" + chromium(),
	}
}
