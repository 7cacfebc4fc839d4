package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/postgres"
)

// openWithLedger opens a shop whose operator keeps a ledger.
func openWithLedger(t *testing.T, more ...framework.Option) (*framework.Shop, *postgres.Server, *gomega.WithT) {
	t.Helper()
	server := postgres.Open(t)
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte(server.DSN()), 0o600); err != nil {
		t.Fatal(err)
	}
	keep := framework.WithOptions(func(options *manager.Options) {
		options.LedgerDSNFile = file
		options.Ledger = ledger.Timing{Gather: 10 * time.Millisecond, RetryFirst: 50 * time.Millisecond, RetryMost: 200 * time.Millisecond, Batch: 100, RetryRefused: time.Second}
	})
	shop, g := openReady(t, append([]framework.Option{keep}, more...)...)
	return shop, server, g
}

// states reads the states that the ledger has, by number.
func states(t *testing.T, server *postgres.Server) (map[string]string, error) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close(context.Background()) }()
	rows, err := connection.Query(t.Context(), `SELECT out_trade_no, state FROM wechatpay.orders
		UNION ALL SELECT out_refund_no, state FROM wechatpay.refunds UNION ALL SELECT name, state FROM wechatpay.shipments`)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	var number, state string
	_, err = pgx.ForEachRow(rows, []any{&number, &state}, func() error { found[number] = state; return nil })
	return found, err
}

func waitRecorded(shop *framework.Shop, t *testing.T, server *postgres.Server, expected map[string]string) {
	t.Helper()
	shop.Eventually("the ledger has what happened", func() error {
		found, err := states(t, server)
		if err != nil {
			return err
		}
		for number, state := range expected {
			if found[number] != state {
				return fmt.Errorf("%s is %q in %v", number, found[number], found)
			}
		}
		return nil
	})
}

func TestLedgerHasPaymentsAndRefunds(t *testing.T) {
	shop, server, _ := openWithLedger(t)
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Create(shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.Patch(shop.NewOrder("order-0002"), wishClosed)
	waitRecorded(shop, t, server, map[string]string{"order-0001": "Paid", "refund-0001": "Succeeded", "order-0002": "Closed"})
	shop.WaitMerchant(framework.MerchantName, "Recorded=True/Recorded")
}

// TestTTLWaitsForTheLedger: while the database is away, payments go on and nothing that is not
// recorded goes. When it is back everything is recorded, once.
func TestTTLWaitsForTheLedger(t *testing.T) {
	shop, server, g := openWithLedger(t)
	shop.Paid("order-0001")
	waitRecorded(shop, t, server, map[string]string{"order-0001": "Paid"})

	server.Kill()
	short := func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To[int32](0) }
	for i := range 5 {
		shop.Paid(fmt.Sprintf("order-1%03d", i), short)
	}
	shop.WaitMerchant(framework.MerchantName, "Recorded=False/LedgerUnavailable")
	// Another Order is paid after the TTL of these is over.
	shop.Paid("order-2000", short)
	var orders v1alpha1.OrderList
	shop.Must(shop.Client.List(shop.Context(), &orders, client.InNamespace(shop.Namespace)))
	g.Expect(orders.Items).To(gomega.HaveLen(7), "an Order went before it was recorded")

	shop.Must(server.Start())
	shop.Eventually("what is recorded goes", func() error {
		var left v1alpha1.OrderList
		if err := shop.Client.List(shop.Context(), &left, client.InNamespace(shop.Namespace)); err != nil {
			return err
		}
		if len(left.Items) != 1 {
			return errors.New("there are " + fmt.Sprint(len(left.Items)))
		}
		return nil
	})
	found, err := states(t, server)
	shop.Must(err)
	g.Expect(found).To(gomega.HaveLen(7))
	shop.WaitMerchant(framework.MerchantName, "Recorded=True/Recorded")
}

// TestShipmentIsRecordedBeforeItsOrderGoes: the Shipment is the Order's, and goes with it.
func TestShipmentIsRecordedBeforeItsOrderGoes(t *testing.T) {
	// WeChat takes the Shipment when the Order is recorded already, and its row comes late, so that an
	// Order that does not wait for it is gone before.
	shop, server, g := openWithLedger(t, framework.WithOptions(func(options *manager.Options) { options.Ledger.Gather = 3 * time.Second }))
	shop.OpenWeixin(func(o *weixin.Options) { o.Rules.OrderDelay = 5 * time.Second })
	shop.Create(shop.NewMiniProgram("shop"))
	shop.WaitMiniProgram("shop", "Ready=True/Ready")
	shop.Paid("order-0001")
	waitRecorded(shop, t, server, map[string]string{"order-0001": "Paid"})

	shop.Create(shop.NewShipment("shipment-0001", "order-0002"))
	shop.Paid("order-0002", func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To[int32](0) })
	shop.Eventually("the Order goes", func() error {
		err := shop.Client.Get(shop.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "order-0002"}, &v1alpha1.Order{})
		if client.IgnoreNotFound(err) != nil || err == nil {
			return errors.Join(err, errors.New("it is there"))
		}
		return nil
	})
	found, err := states(t, server)
	shop.Must(err)
	g.Expect(found).To(gomega.Equal(map[string]string{"order-0001": "Paid", "order-0002": "Paid", "shipment-0001": "Uploaded"}))
}
