package main

import (
	"context"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// creations answers each Create with the next of its errors.
type creations struct {
	client.Client
	answers []error
}

func (c *creations) Create(context.Context, client.Object, ...client.CreateOption) error {
	answer := c.answers[0]
	c.answers = c.answers[1:]
	return answer
}

// TestASecondClickEndsNoReservation: the first click's Order is created, and the watch has not shown it yet.
func TestASecondClickEndsNoReservation(t *testing.T) {
	exists := apierrors.NewAlreadyExists(schema.GroupResource{Resource: "orders"}, "one")
	refused := &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden}}
	shop := &storefront{book: newBook(&catalogue{Products: []product{soap}}), kube: &creations{answers: []error{nil, exists, refused, refused}}}
	create := func(number string) error {
		return shop.create(t.Context(), &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Name: number}}, goods{product: soap, quantity: 4})
	}
	for click := range 2 {
		if err := create("one"); err != nil {
			t.Error(err)
		}
		if left := shop.book.available(soap); left != 6 {
			t.Errorf("after click %d, %d are left, not 6", click+1, left)
		}
	}
	if err := create("one"); err == nil || shop.book.available(soap) != 6 {
		t.Errorf("a refused click (%v) left %d", err, shop.book.available(soap))
	}
	if err := create("two"); err == nil || shop.book.available(soap) != 6 {
		t.Errorf("what was reserved for an order that was not created (%v) is not given back: %d", err, shop.book.available(soap))
	}
}
