package controllers_test

import (
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

var errNotYet = errors.New("not yet")

func differs(now, before string) error {
	if now == before {
		return errors.New("it is the same as before")
	}
	return nil
}

// atLeast returns nil if WeChat got at least count calls of an operation for a number.
func atLeast(shop *framework.Shop, operation simulator.Operation, number string, count int) error {
	if calls := shop.WeChat.Ledger().CallsOf(operation, number); len(calls) < count {
		return fmt.Errorf("%d calls of %s", len(calls), operation)
	}
	return nil
}

func keyOf(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }

func contains(text, part string) error {
	if !strings.Contains(text, part) {
		return errors.New("it says: " + text)
	}
	return nil
}

func replaceOnce(text, old, by string) string { return strings.Replace(text, old, by, 1) }

func orderName(i int) string { return fmt.Sprintf("order-%04d", i) }
