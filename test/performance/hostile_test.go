package performance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	// hostileRate is how many good callbacks a second come during each attack.
	hostileRate = 20
	// headStart is what attackers get.
	headStart = 2 * time.Second
	// How many attackers there are.
	slow, held, flooding, hung = 2000, 4000, 64, 512

	// The Merchants beside the shop's, whose callbacks attackers send. keyless has no Secret. WeChat does not answer
	// for hanging, whose Refund is under way.
	keyless, keylessMchID             = "keyless", "1900000111"
	hanging, hangingMchID, hangingKey = "hanging", "1900000112", "HangingTestKey0HangingTestKey012"
	forgedKey                         = "ForgedKey0ForgedKey0ForgedKey012"
)

// measureHostile sends good callbacks while others attack. Each comes on a connection of its own, which is harder than
// on one that an ingress keeps. No attacker may be answered SUCCESS.
func measureHostile(b *bench) {
	s := b.open(scene{finalizerAtCreation: true})
	o := s.operate()
	s.addMerchant(shop, keyless, keylessMchID, apiKey, func(m *v1alpha1.MerchantSpec) { m.APIKeySecretRef.Name = "nowhere" })
	s.addMerchant(shop, hanging, hangingMchID, hangingKey, s.silentHost().change)
	order := newOrder(shop, hanging)
	order.Spec.MerchantRef = v1alpha1.MerchantReference{Name: hanging}
	s.create(order, &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: hanging},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: hanging}, Amount: 50},
	})
	a := s.newAttackers(hung)
	for _, attack := range a.attacks() {
		name := strings.ToLower(strings.ReplaceAll(attack.name, " ", "-"))
		c := o.prepareCallbacks(name, hostileRate*callbackTurnSeconds)
		c.client.Transport = &http.Transport{DisableKeepAlives: true}
		stop := a.begin(attack)
		if attack.by > 0 {
			b.pause(headStart)
		}
		p := c.sendAtRate(hostileRate)
		stop()
		b.add(name+"/answered", float64(len(p.times)), "callbacks", "of %d were answered SUCCESS, and %d told to come again, while %d %s: %d connections, %d answers",
			len(c.bodies), c.count(refused), attack.by, attack.what, a.connections.Swap(0), a.answered.Swap(0))
		b.add(name+"/p50", p.percentile(50), "ms", "from when a callback was due to SUCCESS")
		b.add(name+"/p99", p.percentile(99), "ms", "the same")
		if believed := a.believed.Swap(0); believed > 0 {
			b.Errorf("%s: %d requests of attackers were answered SUCCESS", attack.name, believed)
		}
	}
}

func (a *attackers) attacks() []attack {
	const head = " HTTP/1.1\r\nHost: pay.example.com\r\n"
	line := "POST /notify/v2/" + shop + "/" + shop + "/payment" + head
	pays, forged := a.callbackURL(shop, shop, "payment"), payment("order-0001", "", forgedKey)
	unconfirmed, err := simulator.RefundDocument(appID, hangingMchID, map[string]string{
		"out_trade_no": hanging, "out_refund_no": hanging, "refund_status": "SUCCESS", "refund_id": "503",
	}, hangingKey)
	a.must(err)
	nobody := atomic.Int64{}
	return []attack{
		{"alone", "attackers are there", 0, nil},
		{"slow headers", "connections drip a header", slow, a.drip(line, "X: y\r\n")},
		{"slow bodies", "connections drip a body", slow, a.drip(line+"Content-Length: 60000\r\n\r\n", "<xml>")},
		{"silent", "connections say nothing", held, a.hold("")},
		{"kept", "connections are kept after a request", held, a.hold("GET /" + head + "\r\n")},
		{"huge headers", "send headers of 1 MiB", flooding, a.hold(line + "X: " + strings.Repeat("x", 1<<20))},
		{"huge bodies", "send bodies of 1 MiB", flooding, a.flood(pays, strings.Repeat("<xml>", 1<<20/5))},
		{"bodies at the limit", "send bodies of 64 KiB of empty elements", flooding, a.flood(pays, "<xml>"+strings.Repeat("<a/>", (64<<10-11)/4)+"</xml>")},
		{"forged", "send bad signatures", flooding, a.flood(pays, forged)},
		{"unknown merchants", "send to Merchants that are not there", flooding, func(ctx context.Context) {
			a.flood(a.callbackURL(shop, fmt.Sprintf("nobody-%d", nobody.Add(1)), "payment"), forged)(ctx)
		}},
		{"unknown numbers", "send true callbacks for Orders that were deleted", flooding, a.flood(pays, payment("order-deleted", "", apiKey))},
		{"no Secret", "send to a Merchant without its Secret", flooding, a.flood(a.callbackURL(shop, keyless, "payment"), forged)},
		{"WeChat hangs", "send refund callbacks that WeChat does not confirm", hung, a.flood(a.callbackURL(shop, hanging, "refund"), string(unconfirmed))},
	}
}
