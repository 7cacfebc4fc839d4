package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestSomebodyBuysASoap is the whole life of an order in a mini program, as its pages see it.
func TestSomebodyBuysASoap(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	r := f.start()
	p := f.visit(r, framework.OpenID)

	shown := p.get("/catalog").ok(t).Products
	if !slices.Contains(shown, productOnSale{"soap", "肥皂", 101, 10}) {
		t.Errorf("the catalogue is %v", shown)
	}
	bought := p.post("/createdOrder", `{"id":"soap","num":2,"price":1,"total":1,"basket":"b-1"}`).ok(t)
	for _, name := range []string{"appId", "timeStamp", "nonceStr", "package", "prepay_id", "signType", "paySign"} {
		if bought.PayInfo[name] == "" {
			t.Errorf("payInfo has no %s: %s", name, bought.Text)
		}
	}
	if at := p.get("/pay/" + bought.OrderNumber).ok(t); at.Total != 202 || at.Currency != "CNY" || at.Description != "肥皂 x2" ||
		at.State != "AwaitingPayment" || at.PayInfo["paySign"] != bought.PayInfo["paySign"] {
		t.Errorf("the Pay page is given %s", at.Text)
	}
	f.pay(bought)
	if paid := f.shows(p, bought.OrderNumber, "Paid"); paid.PaidTime == "" || paid.Refunds == nil {
		t.Errorf("the paid order is %s", paid.Text)
	}
	if at := p.get("/pay/" + bought.OrderNumber).ok(t); at.PayInfo != nil {
		t.Errorf("a paid order can be paid again: %s", at.Text)
	}
	p.post("/createdOrder", `{"id":"soap","num":2,"basket":"b-1"}`).refused(t, codeOrderEnded)
	if left := p.get("/catalog").ok(t).Products; !slices.Contains(left, productOnSale{"soap", "肥皂", 101, 8}) {
		t.Errorf("after the sale the catalogue is %v", left)
	}
	if record := f.WeChat.Ledger().Order(framework.MchID, bought.OrderNumber); record == nil || record.TotalFee != 202 || record.Payment == nil {
		t.Errorf("WeChat has %+v", record)
	}
	f.NoViolations()
}

// TestPaySignIsVerified: what the page hands over is worth nothing when it was changed.
func TestPaySignIsVerified(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	bought := f.visit(f.start(), framework.OpenID).post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	forged := clientPayment(bought)
	forged.TimeStamp += "0"
	if _, err := f.WeChat.RequestPayment(forged, simulator.PayOptions{}); err == nil {
		t.Error("the simulator paid with a changed timeStamp")
	}
	f.pay(bought)
}

func TestWhatCannotBeOrdered(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	r := f.start()
	p, guest := f.visit(r, framework.OpenID), f.visitAsGuest(r)
	for body, code := range map[string]int{
		`{"id":"soap","num":0}`:                    codeBadRequest,
		`{"id":"soap","num":-1}`:                   codeBadRequest,
		`{"id":"soap","num":1000}`:                 codeBadRequest,
		`{"id":"soap","num":9223372036854775807}`:  codeBadRequest,
		`{"id":"soap","num":99999999999999999999}`: codeBadRequest,
		`{"id":"soap","num":1.5}`:                  codeBadRequest,
		`{"id":"soap","num":1e1}`:                  codeBadRequest,
		`{"id":"soap","num":"1"}`:                  codeBadRequest,
		`{"id":"soap","num":null}`:                 codeBadRequest,
		`{"id":"soap"}`:                            codeBadRequest,
		`{"num":1}`:                                codeBadRequest,
		`{"id":7,"num":1}`:                         codeBadRequest,
		`{"id":"soap","num":1,"tradeType":"APP"}`:  codeBadRequest,
		`{"id":"soap","num":1}{"id":"soap"}`:       codeBadRequest,
		`[]`:                                       codeBadRequest,
		``:                                         codeBadRequest,
		`{"id":"soap","num":1,"basket":"` + strings.Repeat("b", longestBasket+1) + `"}`: codeBadRequest,
		`{"id":"` + strings.Repeat("b", bodyLimit) + `"}`:                               codeBadRequest,
		`{"id":"nothing","num":1}`:                                                      codeNotFound,
		`{"id":"soap","num":11}`:                                                        codeSoldOut,
	} {
		if a := p.post("/createdOrder", body); a.Code != code || a.Status != statuses[code] || a.Message == "" {
			t.Errorf("%.80s was answered %d %s, not code %d", body, a.Status, a.Text, code)
		}
	}
	guest.post("/createdOrder", `{"id":"soap","num":1}`).refused(t, codeBadRequest)
	var orders v1alpha1.OrderList
	f.Must(f.Client.List(f.Context(), &orders, client.InNamespace(f.Namespace)))
	if len(orders.Items) != 0 {
		t.Errorf("%d Orders were created", len(orders.Items))
	}
}

// TestADoubleClickIsOneOrder: twenty requests at two replicas at once, with a basket and without one.
func TestADoubleClickIsOneOrder(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	replicas := []*replica{f.start(), f.start()}
	p := f.visit(replicas[0], framework.OpenID)
	for _, body := range []string{`{"id":"towel","num":3,"basket":"b-1"}`, `{"id":"towel","num":3}`} {
		seen := map[string]bool{}
		var mutex sync.Mutex
		var clicks sync.WaitGroup
		for i := range 20 {
			clicks.Go(func() {
				a := page{t, replicas[i%2].base, p.token}.post("/createdOrder", body)
				mutex.Lock()
				defer mutex.Unlock()
				if a.Code != codeSuccess {
					t.Errorf("click %d was answered %s", i, a.Text)
				}
				seen[a.OrderNumber] = true
			})
		}
		clicks.Wait()
		if len(seen) != 1 {
			t.Errorf("%s made the orders %v", body, seen)
		}
	}
	if orders := f.WeChat.Ledger().Orders; len(orders) != 2 {
		t.Errorf("WeChat has %d orders", len(orders))
	}
	if listed := p.get("/orders").ok(t).Orders; len(listed) != 2 {
		t.Errorf("the payer has %v", listed)
	}
}

func TestTheSameBasketWithOtherGoodsIsRefused(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	p := f.visit(f.start(), framework.OpenID)
	p.post("/createdOrder", `{"id":"soap","num":1,"basket":"b-1"}`).ok(t)
	p.post("/createdOrder", `{"id":"soap","num":2,"basket":"b-1"}`).refused(t, codeBadRequest)
	p.post("/createdOrder", `{"id":"towel","num":1,"basket":"b-1"}`).refused(t, codeBadRequest)
	p.post("/createdOrder", `{"id":"soap","num":1,"basket":"b-1","tradeType":"NATIVE"}`).refused(t, codeBadRequest)
}

// TestTheSameGoodsAgain: without a basket, the open order is found again, in the next session too; when it is paid, the next one is new.
func TestTheSameGoodsAgain(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	r := f.start()
	p := f.visit(r, framework.OpenID)
	first := p.post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	again := f.visit(r, framework.OpenID).post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	if again.OrderNumber != first.OrderNumber {
		t.Errorf("two open orders: %s and %s", first.OrderNumber, again.OrderNumber)
	}
	f.pay(first)
	f.shows(p, first.OrderNumber, "Paid")
	second := p.post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	if second.OrderNumber == first.OrderNumber {
		t.Error("the paid order was sold again")
	}
	if listed := p.get("/orders").ok(t).Orders; len(listed) != 2 || (listed[0].OrderNumber != second.OrderNumber && !listed[0].CreatedTime.Equal(&listed[1].CreatedTime)) {
		t.Errorf("the orders are %+v, not the newest first", listed)
	}
}

// TestWhatIsAnothersIsNotFound: neither shown nor refunded, and not told from what does not exist.
func TestWhatIsAnothersIsNotFound(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	r := f.start()
	mine := f.visit(r, framework.OpenID).post("/createdOrder", `{"id":"soap","num":1,"basket":"b-1"}`).ok(t)
	f.pay(mine)
	for name, p := range map[string]page{"another payer": f.visit(r, "oAnother"), "a guest": f.visitAsGuest(r)} {
		for _, number := range []string{mine.OrderNumber, "shop-nothing"} {
			for _, a := range []answer{p.get("/pay/" + number), p.get("/orders/" + number), p.post("/orders/"+number+"/refund", `{"reason":"x"}`)} {
				if a.refused(t, codeNotFound); strings.ReplaceAll(a.Message, number, "N") != `you have no order "N"` {
					t.Errorf("%s is told of %s: %s", name, number, a.Text)
				}
			}
		}
		if listed := p.get("/orders").ok(t).Orders; len(listed) != 0 {
			t.Errorf("%s sees %v", name, listed)
		}
	}
	if other := f.visit(r, "oAnother").post("/createdOrder", `{"id":"soap","num":1,"basket":"b-1"}`).ok(t); other.OrderNumber == mine.OrderNumber {
		t.Error("the same name of a basket led to another payer's order")
	}
}

func TestTokensThatAreNotTaken(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	r := f.start()
	good := f.visit(r, framework.OpenID)
	ticket := good.post("/ticket", "").ok(t).Ticket
	changed := []byte(good.token)
	changed[len(changed)/2] ^= 1
	brief := f.start(func(s *settings) { s.sessionFor = time.Nanosecond })
	for name, token := range map[string]string{
		"none": "", "invented": "abc", "not Base64": "%%%", "changed": string(changed), "a ticket": ticket, "expired": f.visit(brief, framework.OpenID).token,
	} {
		p := page{t, r.base, token}
		for _, a := range []answer{
			p.get("/orders"), p.get("/orders/x"), p.get("/pay/x"), p.post("/orders/x/refund", `{}`), p.post("/ticket", ""), p.post("/createdOrder", `{"id":"soap","num":1}`),
		} {
			if a.Code != codeLogInAgain || a.Status != 401 {
				t.Errorf("token %s was answered %d %s", name, a.Status, a.Text)
			}
		}
	}
}

// TestRaceForTheLastPieces: fifty people want one of ten pieces each, at two replicas at once. Ten can pay, whoever that is, and what
// an order that ends has kept is sold again.
func TestRaceForTheLastPieces(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	replicas := []*replica{f.start(), f.start()}
	var buyers sync.WaitGroup
	var mutex sync.Mutex
	codes := map[int]int{}
	var lucky []answer
	for i := range 50 {
		buyers.Go(func() {
			p := page{t: t, base: replicas[i%2].base}
			p.token = p.post("/login", `{"source":"Browser"}`).Token
			a := p.post("/createdOrder", `{"id":"soap","num":1,"tradeType":"NATIVE"}`)
			mutex.Lock()
			defer mutex.Unlock()
			codes[a.Code]++
			if a.Code == codeSuccess {
				lucky = append(lucky, a)
			}
		})
	}
	buyers.Wait()
	if codes[codeSuccess] > 10 || codes[codeSuccess]+codes[codeSoldOut] != 50 {
		t.Errorf("of fifty who wanted one of ten pieces, by code: %v", codes)
	}
	// Both replicas together may refuse too many when they collide at the last pieces, and no more than they have collided.
	f.Eventually("what was refused is closed, and all ten pieces find a buyer", func() error {
		p := f.visitAsGuest(replicas[0])
		if a := p.post("/createdOrder", `{"id":"soap","num":1,"tradeType":"NATIVE"}`); a.Code == codeSuccess {
			lucky = append(lucky, a)
		}
		if len(lucky) != 10 {
			return fmt.Errorf("%d sold", len(lucky))
		}
		return nil
	})
	f.visitAsGuest(replicas[1]).post("/createdOrder", `{"id":"soap","num":1,"tradeType":"NATIVE"}`).refused(t, codeSoldOut)

	for _, a := range lucky[:9] {
		f.Pay(a.OrderNumber)
	}
	f.Patch(&v1alpha1.Order{ObjectMeta: f.NewOrder(lucky[9].OrderNumber).ObjectMeta}, `{"spec":{"desiredState":"Closed"}}`)
	f.Eventually("the tenth piece is back", func() error {
		for _, r := range replicas {
			if left := (page{t: t, base: r.base}).get("/catalog").ok(t).Products[0].Stock; left != 1 {
				return fmt.Errorf("%d left", left)
			}
		}
		return nil
	})
}

// TestAnOrderBeyondTheStockIsClosedByTheWatch: another replica created it and ended; no request asks for it.
func TestAnOrderBeyondTheStockIsClosedByTheWatch(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	p := f.visit(f.start(), framework.OpenID)
	first := f.Order(p.post("/createdOrder", `{"id":"soap","num":1}`).ok(t).OrderNumber)
	excess := &v1alpha1.Order{ObjectMeta: f.NewOrder("shop-excess").ObjectMeta, Spec: *first.Spec.DeepCopy()}
	excess.Labels = goods{product: product{ID: "soap"}, quantity: 10}.labels(first.Labels[labelPayer])
	f.Create(excess)
	f.WaitOrder("shop-excess", "Paid=False/Closed")
	if order := f.Order("shop-excess"); order.Annotations[annotationWithdrawn] != "SoldOut" {
		t.Errorf("its annotations are %v", order.Annotations)
	}
	if at := p.get("/pay/shop-excess").ok(t); at.PayInfo != nil {
		t.Errorf("the Pay page is given %s", at.Text)
	}
}

// TestARestartForgetsNothing: what is sold and who bought it stands in the cluster. The storefront ends while a checkout waits.
func TestARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	r := f.start()
	p := f.visit(r, framework.OpenID)
	paid := p.post("/createdOrder", `{"id":"soap","num":4}`).ok(t)
	f.pay(paid)
	f.StopOperators() // so that the next checkout waits
	waiting := make(chan answer, 1)
	quick := f.start(func(s *settings) { s.wait = 500 * time.Millisecond })
	go func() {
		waiting <- page{t, quick.base, p.token}.post("/createdOrder", `{"id":"soap","num":3,"basket":"b-1"}`)
	}()
	var order v1alpha1.OrderList
	f.Eventually("the Order is created", func() error {
		f.Must(f.Client.List(f.Context(), &order, client.InNamespace(f.Namespace)))
		if len(order.Items) != 2 {
			return fmt.Errorf("%d Orders", len(order.Items))
		}
		return nil
	})
	quick.stop()
	if a := <-waiting; a.Code != codeTryAgain || a.Status != 503 || a.RetryAfter == "" {
		t.Errorf("the checkout was answered %d %s", a.Status, a.Text)
	}
	r.stop()

	f.StartOperator()
	p.base = f.start().base
	found := p.post("/createdOrder", `{"id":"soap","num":3,"basket":"b-1"}`).ok(t)
	if left := p.get("/catalog").ok(t).Products[0].Stock; left != 3 {
		t.Errorf("%d pieces are left, not 3", left)
	}
	p.post("/createdOrder", `{"id":"soap","num":4,"basket":"b-2"}`).refused(t, codeSoldOut)
	f.pay(found)
	if listed := p.get("/orders").ok(t).Orders; len(listed) != 2 {
		t.Errorf("the payer has %v", listed)
	}
	f.NoViolations()
}

func TestOtherTradeTypes(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	p := f.visitAsGuest(f.start(func(s *settings) { s.proxies = 1 }))
	if a := p.post("/createdOrder", `{"id":"soap","num":1,"tradeType":"NATIVE"}`).ok(t); !strings.HasPrefix(a.CodeURL, "weixin://") || a.PayInfo != nil {
		t.Errorf("NATIVE was answered %s", a.Text)
	}
	a := p.post("/createdOrder", `{"id":"soap","num":1,"tradeType":"MWEB"}`).ok(t)
	if !strings.HasPrefix(a.MWEBURL, "https://wx.tenpay.com/") || a.PayInfo != nil {
		t.Errorf("MWEB was answered %s", a.Text)
	}
	if order := f.Order(a.OrderNumber); order.Spec.ClientIP != "127.0.0.1" || order.Spec.H5.URL != "https://shop.example.com" {
		t.Errorf("the Order is %+v", order.Spec)
	}
}

// TestAnOldLinkIsRenewed: an MWEB link lives five minutes, so that the same basket is given a fresh one later.
func TestAnOldLinkIsRenewed(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	const body = `{"id":"soap","num":1,"tradeType":"MWEB"}`
	p := f.visitAsGuest(f.start())
	first := p.post("/createdOrder", body).ok(t)
	if again := p.post("/createdOrder", body).ok(t); again.MWEBURL != first.MWEBURL {
		t.Error("a fresh link was renewed")
	}
	order := f.Order(first.OrderNumber)
	older := order.Status.Prepay.ExpireTime.Add(-linkLifetime)
	order.Status.Prepay.ExpireTime.Time = older
	f.Must(f.Client.Status().Update(f.Context(), order))
	f.Eventually("the link is renewed", func() error {
		if again := p.post("/createdOrder", body).ok(t); again.MWEBURL == first.MWEBURL || again.OrderNumber != first.OrderNumber {
			return fmt.Errorf("it is %s", again.MWEBURL)
		}
		return nil
	})
}

// TestARefundIsAskedForOnce: a double click is one Refund, which nobody but a person with the right to decides on.
func TestARefundIsAskedForOnce(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	replicas := []*replica{f.start(), f.start()}
	p := f.visit(replicas[0], framework.OpenID)
	bought := p.post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	refund := "/orders/" + bought.OrderNumber + "/refund"
	p.post(refund, `{"reason":"坏了"}`).refused(t, codeBadRequest) // not paid
	f.pay(bought)
	for _, r := range replicas {
		f.shows(page{t, r.base, p.token}, bought.OrderNumber, "Paid")
	}
	for body, code := range map[string]int{
		`{}`: codeBadRequest, `{"reason":""}`: codeBadRequest, `{"reason":"x","amount":0}`: codeBadRequest, `{"reason":"x","amount":102}`: codeBadRequest,
		`{"reason":"x","amount":1.5}`: codeBadRequest, `{"reason":"` + strings.Repeat("x", 81) + `"}`: codeBadRequest, `{"reason":"😀"}`: codeBadRequest,
	} {
		if a := p.post(refund, body); a.Code != code || a.Message == "" {
			t.Errorf("%s was answered %d %s", body, a.Status, a.Text)
		}
	}
	seen := map[string]bool{}
	var mutex sync.Mutex
	var clicks sync.WaitGroup
	for i := range 10 {
		clicks.Go(func() {
			a := page{t, replicas[i%2].base, p.token}.post(refund, `{"reason":"坏了","amount":50}`)
			mutex.Lock()
			defer mutex.Unlock()
			if a.Status != 202 || a.State != "AwaitingApproval" {
				t.Errorf("answered %d %s", a.Status, a.Text)
			}
			seen[a.RefundNumber] = true
		})
	}
	clicks.Wait()
	if len(seen) != 1 {
		t.Fatalf("ten clicks asked for the refunds %v", seen)
	}
	// A click comes later, when the watch has shown the Refund.
	clickLater := func(when string) {
		t.Helper()
		for _, r := range replicas {
			at := page{t, r.base, p.token}
			f.Eventually("the storefront shows the refund", func() error {
				if a := at.get("/orders/" + bought.OrderNumber).ok(t); len(a.Refunds) == 0 {
					return errors.New(a.Text)
				}
				return nil
			})
			if a := at.post(refund, `{"reason":"坏了","amount":50}`).ok(t); !seen[a.RefundNumber] {
				t.Errorf("%s, a click asked for another refund: %s", when, a.Text)
			}
		}
	}
	clickLater("while it waits")
	p.post(refund, `{"reason":"all of it","amount":101}`).refused(t, codeBadRequest)
	rest := p.post(refund, `{"reason":"the rest"}`).ok(t)
	if asked := f.Refund(rest.RefundNumber); asked.Spec.Amount != 51 || asked.Spec.Approval != "" || asked.Spec.Reason != "the rest" {
		t.Errorf("the Refund of the rest is %+v", asked.Spec)
	}
	for number := range seen {
		f.Approve(number)
		f.WaitRefund(number, "Succeeded=True/Succeeded")
	}
	clickLater("when it is paid")
	f.Patch(f.NewRefund(rest.RefundNumber, "", 0), `{"spec":{"approval":"Denied"}}`)
	f.Eventually("the payer sees both", func() error {
		a := p.get("/orders/" + bought.OrderNumber).ok(t)
		states := []refundState{}
		for _, shown := range a.Refunds {
			states = append(states, shown.State)
		}
		slices.Sort(states)
		if a.Refunded != 50 || !slices.Equal(states, []refundState{refundDenied, refundSucceeded}) {
			return fmt.Errorf("%s", a.Text)
		}
		return nil
	})
	f.NoViolations()
}

// TestABasketIsPaidOnceEvenIfItsOrderIsGone: a page that is loaded again after the Order was deleted asks for the same basket. It has
// the same number, by which WeChat Pay knows that it was paid or closed: the payer is told so, and never pays twice.
func TestABasketIsPaidOnceEvenIfItsOrderIsGone(t *testing.T) {
	f := openShop(t)
	r := f.start()
	p := f.visit(r, framework.OpenID)
	for basket, end := range map[string]func(answer){
		"paid": func(a answer) { f.pay(a); f.shows(p, a.OrderNumber, "Paid") },
		"closed": func(a answer) {
			f.Patch(f.NewOrder(a.OrderNumber), `{"spec":{"desiredState":"Closed"}}`)
			f.shows(p, a.OrderNumber, "Closed")
		},
	} {
		body := `{"id":"soap","num":1,"basket":"` + basket + `"}`
		first := p.post("/createdOrder", body).ok(t)
		end(first)
		order := f.Order(first.OrderNumber)
		f.Must(f.Client.Delete(f.Context(), order))
		f.WaitGone(order)
		f.Eventually("the page is told that "+basket+" has ended", func() error {
			again := p.post("/createdOrder", body)
			switch again.Code {
			case codeOrderEnded:
				return nil
			case 0:
				t.Errorf("%s: it can be paid again, as %s", basket, again.OrderNumber)
			}
			return errors.New("not told yet")
		})
	}
}
