package hostile

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// The Merchants beside the shop's, whose callbacks attackers send.
const (
	// keyless has no Secret.
	keyless = "keyless"
	// hanging has a WeChat that takes connections and says nothing. Its Refund is under way.
	hanging      = "hanging"
	hangingMchID = "1900000110"
	hangingOrder = "order-hanging"
	hangingFund  = "refund-hanging"
)

// stage is the operator with a shop, a simulated WeChat Pay, and the other Merchants.
type stage struct {
	*framework.Shop
	base string
}

func openStage(b *testing.B, env *controlplane.Environment) *stage {
	s := &stage{Shop: framework.Open(b, env, framework.WithOptions(func(o *manager.Options) {
		o.Timing, o.Accounts = controllers.DefaultTiming(), account.Options{}
	}))}
	s.base = s.CallbackURL(0)
	s.Create(s.NewMerchant(), s.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name, m.Spec.MchID, m.Spec.APIKeySecretRef.Name, m.Spec.CertificateSecretRef = keyless, "1900000111", "nowhere", nil
	}), s.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name, m.Spec.MchID, m.Spec.CertificateSecretRef = hanging, hangingMchID, nil
		m.Spec.APIKeySecretRef.Name, m.Spec.Endpoint.URL, m.Spec.Endpoint.BackupURL = hanging, silent(b), ""
	}), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: hanging}, Data: map[string][]byte{"apiKey": []byte(hangingKey)}})
	s.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	s.Create(s.NewOrder(hangingOrder, func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = hanging }), s.NewRefund(hangingFund, hangingOrder, 50))
	return s
}

// silent takes connections and says nothing.
func silent(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var open []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			open = append(open, connection)
		}
	}()
	b.Cleanup(func() {
		_ = listener.Close()
		<-ended
		for _, connection := range open {
			_ = connection.Close()
		}
	})
	return "https://" + listener.Addr().String()
}

func (s *stage) path(merchant, kind string) string {
	return "/notify/v2/" + s.Namespace + "/" + merchant + "/" + kind
}

// good is a callback for an Order that can be paid.
type good struct{ order, body string }

// payments creates Orders, waits until they can be paid, and returns what WeChat says when they are.
func (s *stage) payments(attack string) []good {
	var callbacks []good
	for i := range goodCallbacks {
		order := s.NewOrder(fmt.Sprintf("%s-%04d", strings.ToLower(strings.ReplaceAll(attack, " ", "-")), i))
		s.Create(order)
		callbacks = append(callbacks, good{order.Name, payment(order.Name)})
	}
	s.Eventually("the Orders can be paid", func() error {
		if ready := s.count(callbacks, v1alpha1.ConditionPrepared); ready < len(callbacks) {
			return fmt.Errorf("%d of %d", ready, len(callbacks))
		}
		return nil
	})
	return callbacks
}

// paid counts the Orders that the API server has as paid.
func (s *stage) paid(callbacks []good) int { return s.count(callbacks, v1alpha1.ConditionPaid) }

func (s *stage) count(callbacks []good, condition string) int {
	var orders v1alpha1.OrderList
	s.Must(s.Client.List(s.Context(), &orders, client.InNamespace(s.Namespace)))
	is := map[string]bool{}
	for _, o := range orders.Items {
		is[o.Name] = meta.IsStatusConditionTrue(o.Status.Conditions, condition)
	}
	count := 0
	for _, c := range callbacks {
		if is[c.order] {
			count++
		}
	}
	return count
}

// answer is what WeChat would get, and how soon.
type answer struct {
	callback.Answer
	took time.Duration
}

// send sends a callback once, on a connection of its own: that is harder than on one that an ingress keeps.
func (s *stage) send(c good) answer {
	began := time.Now()
	one := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: callback.Patience}
	got := callback.Send(context.Background(), one, s.base+s.path(framework.MerchantName, "payment"), c.body)
	return answer{got, time.Since(began)}
}

// counted counts what is written to the log.
type counted struct {
	mutex        sync.Mutex
	lines, bytes int
}

func (c *counted) Write(line []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.lines++
	c.bytes += len(line)
	return len(line), nil
}

// take returns the counts and begins anew.
func (c *counted) take() (lines, bytes int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	lines, bytes = c.lines, c.bytes
	c.lines, c.bytes = 0, 0
	return lines, bytes
}
