package main

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

var soap = product{ID: "soap", Name: "肥皂", Price: 101, Stock: 10}

func soapOrder(number string, quantity int64, states ...string) *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Name: number, Labels: goods{product: soap, quantity: quantity}.labels("payer")},
		Status:     v1alpha1.OrderStatus{Conditions: conditions(states...)},
	}
}

// TestStockIsTheSumOfOrders: in whatever order changes come, what is left is the stock without open and paid orders.
func TestStockIsTheSumOfOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook(&catalogue{Products: []product{soap}})
		orders := map[string]*v1alpha1.Order{}
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			number := strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "number"))
			switch before := orders[number]; rapid.SampledFrom([]string{"create", "change", "delete"}).Draw(t, "what") {
			case "create":
				if before == nil {
					orders[number] = soapOrder(number, rapid.Int64Range(1, 4).Draw(t, "quantity"))
					b.putOrder(orders[number], false)
				}
			case "change":
				if before != nil {
					state := rapid.SampledFrom([]string{"Paid=Unknown/AwaitingPayment", "Paid=True/Paid", "Paid=False/Closed", "Paid=False/Expired"}).Draw(t, "state")
					orders[number] = soapOrder(number, quantityOf(before), state)
					b.putOrder(orders[number], false)
				}
			case "delete":
				if before != nil {
					b.removeOrder(before)
					delete(orders, number)
				}
			}
		}
		left := soap.Stock
		for _, order := range orders {
			if state := stateOf(order); state != orderClosed && state != orderExpired {
				left -= quantityOf(order)
			}
		}
		if got := b.available(soap); got != left {
			t.Fatalf("%d are left, not %d", got, left)
		}
	})
}

// TestWhatWasAdmittedIsNeverMoreThanTheStock: while orders only come, and none ends.
func TestWhatWasAdmittedIsNeverMoreThanTheStock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook(&catalogue{Products: []product{soap}})
		var admitted int64
		for i, quantity := range rapid.SliceOf(rapid.Int64Range(1, 4)).Draw(t, "quantities") {
			b.putOrder(soapOrder(strconv.Itoa(i), quantity), false)
			if !b.orders[strconv.Itoa(i)].excess {
				admitted += quantity
			}
		}
		if admitted > soap.Stock {
			t.Fatalf("%d of %d were sold", admitted, soap.Stock)
		}
	})
}

// TestAnOrderWithoutPiecesCannotBePaid: whatever asks how to pay it, and before it is closed.
func TestAnOrderWithoutPiecesCannotBePaid(t *testing.T) {
	prepared := func(number string, quantity int64) *v1alpha1.Order {
		order := soapOrder(number, quantity, "Paid=Unknown/AwaitingPayment", "Prepared=True/Prepared")
		order.Status.Prepay = &v1alpha1.OrderPrepay{ID: "wx1", JSAPI: &v1alpha1.JSAPIParameters{PaySign: "sign"}}
		return order
	}
	b := newBook(&catalogue{Products: []product{soap}})
	withdrawn := make(chan string, 3)
	b.withdraw = func(order *v1alpha1.Order) { withdrawn <- order.Name }
	b.putOrder(prepared("first", 6), false)
	excess := prepared("excess", 5)
	excess.Annotations = map[string]string{annotationCount: soap.count()}
	b.putOrder(excess, false)
	unknown := prepared("unknown", 5)
	unknown.Labels[labelProduct] = "sold by a newer catalogue"
	b.putOrder(unknown, false)
	recounted := soap
	recounted.Stock = 100
	newer := prepared("newer", 5)
	newer.Annotations = map[string]string{annotationCount: recounted.count()}
	b.putOrder(newer, false)
	for number, payable := range map[string]bool{"first": true, "excess": false, "unknown": true, "newer": true} {
		known, err := b.orderOf("payer", number)
		if err != nil || (known.payInfo() != nil) != payable || (known.state() == orderAwaitingPayment) != payable {
			t.Errorf("order %s: %v is %s, payInfo %v", number, err, known.state(), known.payInfo())
		}
	}
	if number := <-withdrawn; number != "excess" || len(withdrawn) != 0 {
		t.Errorf("order %s is withdrawn, and %d more", number, len(withdrawn))
	}
}

func TestReservations(t *testing.T) {
	b := newBook(&catalogue{Products: []product{soap}})
	of := goods{product: soap, quantity: 6}
	for range 2 {
		if _, err := b.reserve("one", of); err != nil {
			t.Error("a click is refused")
		}
	}
	if _, err := b.reserve("two", of); err == nil {
		t.Error("twelve of ten pieces are reserved")
	}
	b.putOrder(soapOrder("one", 6), false)
	if left := b.available(soap); left != 4 {
		t.Errorf("%d are left: the Order counts beside its reservation", left)
	}
	if _, err := b.reserve("two", goods{product: soap, quantity: 4}); err != nil {
		t.Error(err)
	}
	if b.release("two", of); b.available(soap) != 4 {
		t.Errorf("%d are left", b.available(soap))
	}
}

// TestWhatWasSoldBeforeTheCount: it is not in the stock that was counted.
func TestWhatWasSoldBeforeTheCount(t *testing.T) {
	counted := soap
	counted.CountedTime = metav1.NewTime(time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC))
	b := newBook(&catalogue{Products: []product{counted}})
	for i, paid := range []time.Duration{-time.Hour, -time.Second, 0, time.Hour} {
		order := soapOrder(strconv.Itoa(i), 1, "Paid=True/Paid")
		order.Status.Transaction = &v1alpha1.Transaction{PaidTime: &metav1.Time{Time: counted.CountedTime.Add(paid)}}
		b.putOrder(order, true)
	}
	b.putOrder(soapOrder("open", 1), true)
	if left := b.available(counted); left != 7 {
		t.Errorf("%d are left, not 7", left)
	}
}
