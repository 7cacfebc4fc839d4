package controllers_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// logbook stores log lines.
type logbook struct {
	mutex sync.Mutex
	lines []string
}

func (b *logbook) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		b.lines = append(b.lines, line)
	}, funcr.Options{})
}

// changes returns the lines about changes of an object, which is identified by the value of a key.
func (b *logbook) changes(g *gomega.WithT, key, value string) []map[string]any {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var found []map[string]any
	for _, line := range b.lines {
		said := map[string]any{}
		g.Expect(json.Unmarshal([]byte(line), &said)).To(gomega.Succeed())
		if message, _ := said["msg"].(string); strings.HasPrefix(message, "Changed the state of") && said[key] == value {
			found = append(found, said)
		}
	}
	return found
}

func TestTheLogHasOneLineForEachChangeAndNoneForAPoll(t *testing.T) {
	book := &logbook{}
	t.Parallel()
	g := gomega.NewWithT(t)
	shop := framework.Open(t, env, framework.WithTiming(pollOften), framework.WithOptions(func(o *manager.Options) { o.Log = book.logger() }))
	orderLines := func() (orders []map[string]any) {
		for _, line := range book.changes(g, "outTradeNo", "order-0001") {
			if line["refund"] == nil {
				orders = append(orders, line)
			}
		}
		return orders
	}
	shop.Create(shop.NewMerchant())
	shop.Create(shop.NewOrder("order-0001"))
	prepay := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay
	shop.Eventually("that it was prepared is logged", func() error {
		if lines := orderLines(); len(lines) == 0 || lines[len(lines)-1]["state"] != "AwaitingPayment" {
			return differs("", "")
		}
		return nil
	})
	waiting := len(orderLines()) - 1 // waiting for the Merchant, if the Order was reconciled first
	shop.Eventually("it was asked for ten times", func() error { return atLeast(shop, simulator.OperationOrderQuery, "order-0001", 10) })
	g.Expect(orderLines()).To(gomega.HaveLen(waiting+1), "a poll that tells nothing new is not logged")
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")

	// The line is written a moment after the status.
	shop.Eventually("the payment is logged", func() error { return atLeastLines(orderLines(), waiting+2) })
	shop.Eventually("the refund's end is logged", func() error {
		for _, line := range book.changes(g, "outRefundNo", "refund-0001") {
			if line["state"] == "Succeeded" {
				return nil
			}
		}
		return differs("", "")
	})
	orders := orderLines()[waiting:]
	g.Expect(orders).To(gomega.HaveLen(2))
	g.Expect(orders[0]).To(gomega.And(gomega.HaveKeyWithValue("state", "AwaitingPayment"), gomega.HaveKeyWithValue("operation", "CreateOrder"), gomega.HaveKeyWithValue("outcome", "Succeeded")))
	g.Expect(orders[1]).To(gomega.And(gomega.HaveKeyWithValue("state", "Paid"), gomega.HaveKeyWithValue("before", "AwaitingPayment"), gomega.HaveKey("transactionID")))
	for _, line := range orders {
		g.Expect(line).To(gomega.And(gomega.HaveKey("order"), gomega.HaveKey("merchant")))
	}

	refunds, told := book.changes(g, "outRefundNo", "refund-0001"), map[string]bool{}
	for _, line := range refunds {
		state := strings.Join([]string{line["state"].(string), line["approved"].(string), line["accepted"].(string)}, " ")
		g.Expect(told).NotTo(gomega.HaveKey(state), "a state is told once")
		told[state] = true
		g.Expect(line).To(gomega.And(gomega.HaveKey("refund"), gomega.HaveKey("order")))
	}
	g.Expect(told).To(gomega.HaveKey("Succeeded Approved Accepted"))

	book.mutex.Lock()
	defer book.mutex.Unlock()
	for _, line := range book.lines {
		for _, secret := range []string{framework.APIKey, framework.OpenID, prepay.ID, prepay.JSAPI.PaySign, "BEGIN CERTIFICATE", "PRIVATE KEY"} {
			g.Expect(line).NotTo(gomega.ContainSubstring(secret))
		}
	}
}

func atLeastLines(lines []map[string]any, count int) error {
	if len(lines) < count {
		return differs("", "")
	}
	return nil
}
