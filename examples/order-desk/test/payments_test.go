package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/receiptprinter"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

const (
	template  = "paid"
	appSecret = "TestOnlyAppSecret0TestOnly000000"
)

// TestPaidOrdersArePrinted: a payer pays in the simulator, the operator tells the desk, and the desk
// prints, reminds the staff, tells the payer and forwards the event; while the desk is killed and its
// printer is away.
func TestPaidOrdersArePrinted(t *testing.T) {
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant("shop", "Ready=True/Ready")
	printer, robot, broker := receiptprinter.Start(t), newRecorder(t), newRecorder(t)
	weChat := startWeixin(t, shop)

	d := newDesk(t, "--printer=tcp://"+printer.Address(), "--read-orders=true", "--wecom-interval=50ms", "--weixin-url="+weChat.URL(),
		"--subscribe-template="+template, "--subscribe-fields=character_string1=number,amount2=amount,thing3=description")
	certificate := d.certificate()
	d.file("mini/appSecret", appSecret)
	d.arguments = append(d.arguments, "--tls="+filepath.Join(d.folder, "tls"),
		"--wecom-url-file="+d.file("robot", robot.server.URL+"/send?key=secret"), "--mini-program="+filepath.Dir(d.file("mini/appID", framework.AppID)))
	d.environment = append(d.environment, "KUBECONFIG="+shopRights(t, shop), "SSL_CERT_FILE="+d.file("weixin.pem", string(shop.WeChat.CAPEM())), "K_SINK="+broker.server.URL)
	d.start()

	shop.Create(shop.NewSigningKey(shop.Namespace, fixture.SigningKey), &v1alpha1.EventSink{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "order-desk"},
		Spec:       v1alpha1.EventSinkSpec{URL: "https://" + d.events + "/wechatpay", CABundle: certificate, SecretRef: v1alpha1.SigningKeyReference{Name: "events"}},
	})
	shop.WaitEventSink("order-desk", "Delivering=Unknown/Pending")
	shop.Must(weChat.Subscribe(framework.AppID, framework.OpenID, template)) // to one message

	const count = 6
	for i := range count {
		shop.Paid(fmt.Sprintf("order-%04d", i), func(o *v1alpha1.Order) { o.Spec.Description = "肥皂 x1 \u00a5" })
		switch i {
		case 1:
			printer.SwitchOff()
		case 2:
			d.kill()
		case 3:
			d.start()
		case 4:
			printer.SwitchOn()
		}
	}
	fixture.Eventually(t, "every paid order is printed", func() error {
		all := strings.Join(printer.Tickets(), "\n")
		for i := range count {
			if name := fmt.Sprintf("order-%04d", i); !strings.Contains(all, name+"\n") || strings.Count(all, "肥皂 x1 ￥") < count || !strings.Contains(all, "1.01元") {
				return fmt.Errorf("%s is not in\n%s", name, all)
			}
		}
		return nil
	})
	for i := range count {
		robot.waits("已付款 " + fmt.Sprintf("order-%04d", i) + " 1.01元")
		broker.waits(`"name":"` + fmt.Sprintf("order-%04d", i) + `"`)
	}
	d.shows("payer told")
	d.shows("payer did not subscribe")
	messages := weChat.Journal().Messages
	if len(messages) != 1 || messages[0].OpenID != framework.OpenID || messages[0].Data["amount2"] != "1.01元" {
		t.Errorf("%+v", messages)
	}
	for _, secret := range []string{framework.OpenID, "key=secret", appSecret, fixture.SigningKey} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	shop.WaitEventSink("order-desk", "Delivering=True/Delivering")
	shop.NoViolations()
}

// noPayments are for a mini program that ships nothing.
type noPayments struct{}

func (noPayments) Order(string, string) (weixin.Order, bool) { return weixin.Order{}, false }
func (noPayments) Transaction(string) (weixin.Order, bool)   { return weixin.Order{}, false }

// startWeixin starts a simulated api.weixin.qq.com with the shop's mini program.
func startWeixin(t testing.TB, shop *framework.Shop) *weixin.Simulator {
	certificate, err := shop.WeChat.ServerCertificate("api.weixin.qq.com")
	must(t, err)
	simulator, err := weixin.New(weixin.Options{
		Certificate: certificate, Payments: noPayments{},
		MiniPrograms: []weixin.MiniProgram{{
			AppID: framework.AppID, AppSecret: appSecret,
			Templates: []weixin.Template{{ID: template, Keys: []string{"character_string1", "amount2", "thing3"}}},
		}},
	})
	must(t, err)
	t.Cleanup(simulator.Close)
	return simulator
}

// shopRights binds the shop's role to the desk, and returns the file of its kubeconfig.
func shopRights(t testing.TB, shop *framework.Shop) string {
	shop.OperatorConfig() // with it come the roles
	shop.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "order-desk"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-shop"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "order-desk"}},
	})
	content, err := env.Kubeconfig("order-desk")
	must(t, err)
	return (&desk{t: t, folder: t.TempDir()}).file("kubeconfig", string(content))
}

// certificate writes a certificate for the desk's events, and returns it in PEM.
func (d *desk) certificate() []byte {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(d.t, err)
	now := time.Now()
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, wanted, wanted, key.Public(), key)
	must(d.t, err)
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	must(d.t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	d.file("tls/tls.crt", string(certificate))
	d.file("tls/tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey})))
	return certificate
}

// recorder takes whatever is posted to it.
type recorder struct {
	t      testing.TB
	server *httptest.Server
	mutex  sync.Mutex
	bodies []string
}

func newRecorder(t testing.TB) *recorder {
	r := &recorder{t: t}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var body json.RawMessage
		if json.NewDecoder(request.Body).Decode(&body) != nil {
			return // the sender was killed
		}
		if id := request.Header.Get("Ce-Id"); id != "" && (request.Header.Get("Ce-Specversion") != "1.0" || !strings.HasPrefix(request.Header.Get("Ce-Source"), "/apis/wechatpay-operator.io/")) {
			t.Errorf("no CloudEvent: %v", request.Header)
		}
		r.mutex.Lock()
		r.bodies = append(r.bodies, string(body))
		r.mutex.Unlock()
		_, _ = w.Write([]byte(`{"errcode":0,"errmsg":"ok"}`))
	}))
	t.Cleanup(r.server.Close)
	return r
}

// waits waits until a text was posted.
func (r *recorder) waits(text string) {
	r.t.Helper()
	fixture.Eventually(r.t, "it is told "+text, func() error {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		if all := strings.Join(r.bodies, "\n"); !strings.Contains(all, text) {
			return fmt.Errorf("%s", all)
		}
		return nil
	})
}
