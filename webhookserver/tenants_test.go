package webhookserver_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestLargeBodiesAreNotRead: a body whose declared length is too large is not read.
func TestLargeBodiesAreNotRead(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	for _, size := range []int{64<<10 + 1, 250_000, 1 << 30} {
		got := sendRaw(t, c, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: pay.example.com\r\nContent-Length: %d\r\n\r\n", d.paymentPath(), size))
		expectFail(t, got, http.StatusRequestEntityTooLarge)
	}
}

// TestManyBlockedMerchantsDoNotBlockOthers: the payments of one namespace block, for more Merchants
// than would take all connections if each used its limit. Not parallel: it takes all connections.
func TestManyBlockedMerchantsDoNotBlockOthers(t *testing.T) {
	const merchants, each = 16, 70
	d := openFixture(t)
	var entered, answered atomic.Int64
	proceed := make(chan struct{})
	c := d.callbackServer(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, sub string, object client.Object, options ...client.SubResourceUpdateOption) error {
		if object.GetNamespace() == d.Other(0) {
			entered.Add(1)
			<-proceed
			return errNotYet
		}
		return through.SubResource(sub).Update(ctx, object, options...)
	}})
	order := d.prepared("order-0001")
	done := make(chan struct{})
	for n := range merchants {
		stranger := d.NewMerchant(func(m *v1alpha1.Merchant) {
			m.Namespace, m.Name, m.Spec.MchID = d.Other(0), fmt.Sprintf("stranger-%d", n), secondMchID
			framework.UseCredentials(m, "second-key")
			knowsPlatform(m)
		})
		d.Create(stranger)
		d.sync(stranger)
		theirs := d.prepared(fmt.Sprintf("order-1%03d", n), func(o *v1alpha1.Order) { o.Namespace, o.Spec.MerchantRef.Name = d.Other(0), stranger.Name })
		path, body := root(d.Protocol)+d.Other(0)+"/"+stranger.Name+"/payment", paymentOf(theirs).with("mch_id", secondMchID).by(secondKey)
		for range each {
			go func() {
				c.post(path, body)
				answered.Add(1)
				done <- struct{}{}
			}()
		}
	}
	d.Eventually("all that can wait", func() error {
		if entered.Load()+answered.Load() < connections {
			return errNotYet
		}
		return nil
	})
	expectSuccess(t, c.pay(paymentOf(order).good()))
	if waiting := entered.Load(); waiting > 2*64 {
		t.Errorf("%d callbacks of one namespace are being stored at once", waiting)
	}
	close(proceed)
	for range merchants * each {
		<-done
	}
	d.expectPaid(order, "True/Paid")
}
