package framework

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
)

// Order reads an Order.
func (s *Shop) Order(name string) *v1alpha1.Order {
	s.T.Helper()
	order := &v1alpha1.Order{}
	s.Must(s.Client.Get(s.Context(), s.key(name), order))
	return order
}

// Refund reads a Refund.
func (s *Shop) Refund(name string) *v1alpha1.Refund {
	s.T.Helper()
	refund := &v1alpha1.Refund{}
	s.Must(s.Client.Get(s.Context(), s.key(name), refund))
	return refund
}

func (s *Shop) key(name string) types.NamespacedName {
	if namespace, rest, ok := strings.Cut(name, "/"); ok {
		return types.NamespacedName{Namespace: namespace, Name: rest}
	}
	return types.NamespacedName{Namespace: s.Namespace, Name: name}
}

// WaitOrder waits until an Order has a condition in one of the states "Type=Status/Reason", and
// returns the Order. The name may have the form namespace/name.
func (s *Shop) WaitOrder(name string, states ...string) *v1alpha1.Order {
	s.T.Helper()
	return waitFor(s, &v1alpha1.Order{}, name, states...)
}

// waitFor waits until an object has a condition in one of the states, and returns the object.
func waitFor[T client.Object](s *Shop, object T, name string, states ...string) T {
	s.T.Helper()
	kind := reflect.TypeOf(object).Elem().Name()
	s.Eventually(kind+" "+name+" is "+strings.Join(states, " or "), func() error {
		err := s.Client.Get(s.Context(), s.key(name), object)
		if err != nil {
			return err
		}
		for _, state := range states {
			if err = has(object, state); err == nil {
				return nil
			}
		}
		return err
	})
	return object
}

// WaitRefund waits until a Refund has a condition in a state.
func (s *Shop) WaitRefund(name, state string) *v1alpha1.Refund {
	s.T.Helper()
	return waitFor(s, &v1alpha1.Refund{}, name, state)
}

// WaitMerchant waits until a Merchant has a condition in a state.
func (s *Shop) WaitMerchant(name, state string) *v1alpha1.Merchant {
	s.T.Helper()
	return waitFor(s, &v1alpha1.Merchant{}, name, state)
}

// ChangeMerchant changes the shop's Merchant and waits until the operator has seen it: a cache may
// lag, so an Order created right afterwards could be seen first.
func (s *Shop) ChangeMerchant(patch string) {
	s.T.Helper()
	merchant := s.NewMerchant()
	s.Patch(merchant, patch)
	s.waitSeen(merchant)
}

// DeleteMerchant deletes the shop's Merchant, which is still in use, and waits until the operator
// has seen it.
func (s *Shop) DeleteMerchant() *v1alpha1.Merchant {
	s.T.Helper()
	merchant := s.NewMerchant()
	s.Must(s.Client.Delete(s.Context(), merchant))
	s.waitSeen(merchant) // a deletion increments the generation
	return merchant
}

func (s *Shop) waitSeen(merchant *v1alpha1.Merchant) {
	s.T.Helper()
	s.Eventually("the operator has seen the change of Merchant "+merchant.Name, func() error {
		seen := &v1alpha1.Merchant{}
		if err := s.Client.Get(s.Context(), client.ObjectKeyFromObject(merchant), seen); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(seen.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration < seen.Generation {
			return errors.New("not yet")
		}
		return nil
	})
}

func has(object client.Object, state string) error {
	kind, rest, _ := strings.Cut(state, "=")
	status, reason, _ := strings.Cut(rest, "/")
	all := conditions.Of(object)
	found := meta.FindStatusCondition(all, kind)
	if found == nil || string(found.Status) != status || found.Reason != reason {
		return errors.New("it has" + conditions.Describe(all))
	}
	return nil
}

// WaitGone waits until an object is deleted.
func (s *Shop) WaitGone(object client.Object) {
	s.T.Helper()
	key := client.ObjectKeyFromObject(object)
	s.Eventually(fmt.Sprintf("%T %s is gone", object, key.Name), func() error {
		err := s.Client.Get(s.Context(), key, object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("it is still there"))
	})
}

// Patch applies a JSON merge patch to an object, as kubectl patch does.
func (s *Shop) Patch(object client.Object, patch string) {
	s.T.Helper()
	s.Must(s.Client.Patch(s.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// Approve approves a Refund.
func (s *Shop) Approve(name string) {
	s.T.Helper()
	s.Patch(s.NewRefund(name, "", 0), `{"spec":{"approval":"Approved"}}`)
}

// WipeStatus removes the status of an object, like a backup tool that restores objects without it.
func (s *Shop) WipeStatus(object client.Object) {
	s.T.Helper()
	raw, err := json.Marshal(map[string]any{"status": nil})
	s.Must(err)
	s.Must(s.Client.Status().Patch(s.Context(), object, client.RawPatch(types.MergePatchType, raw)))
}

// Pay pays an order as the payer.
func (s *Shop) Pay(outTradeNo string, options ...simulator.PayOptions) {
	s.T.Helper()
	var how simulator.PayOptions
	if len(options) > 0 {
		how = options[0]
	}
	_, err := s.WeChat.Pay(MchID, outTradeNo, how)
	s.Must(err)
}

// Fault adds a fault to the simulator.
func (s *Shop) Fault(fault simulator.Fault) {
	s.T.Helper()
	_, err := s.WeChat.AddFault(fault)
	s.Must(err)
}

// Paid creates an Order and pays it.
func (s *Shop) Paid(name string, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	s.T.Helper()
	s.Create(s.NewOrder(name, change...))
	s.WaitOrder(name, "Prepared=True/Prepared")
	s.Pay(name)
	return s.WaitOrder(name, "Paid=True/Paid")
}

// NoViolations fails the test if the operator did anything that WeChat Pay forbids.
func (s *Shop) NoViolations() {
	s.T.Helper()
	for _, violation := range s.WeChat.Ledger().Violations {
		s.T.Errorf("WeChat Pay complains: %s %s %s: %s", violation.Kind, violation.Operation, violation.Number, violation.Detail)
	}
}
