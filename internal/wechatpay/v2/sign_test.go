package v2

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestSignaturesThatDoNotVerify(t *testing.T) {
	key := newSigner(testKey)
	good := signed(paymentMessage(), testKey, HMACSHA256)
	if !key.verifies(asFields(good), HMACSHA256) {
		t.Fatal("the right signature does not verify")
	}
	for name, message := range map[string]map[string]string{
		"none":       without(good, "sign"),
		"empty":      with(good, map[string]string{"sign": ""}),
		"lower case": with(good, map[string]string{"sign": strings.ToLower(good["sign"])}),
		"cut short":  with(good, map[string]string{"sign": good["sign"][:32]}),
		"too long":   with(good, map[string]string{"sign": good["sign"] + "0"}),
		"spaced":     with(good, map[string]string{"sign": good["sign"] + " "}),
		"other key":  signed(paymentMessage(), testOtherKey, HMACSHA256),
		"MD5":        signed(paymentMessage(), testKey, MD5),
		"changed":    with(good, map[string]string{"attach": "x"}),
	} {
		if key.verifies(asFields(message), HMACSHA256) {
			t.Errorf("%s: verifies", name)
		}
	}
	if key.verifies(nil, MD5) {
		t.Error("nothing verifies")
	}
}

// TestSigningAtTheSameTime: concurrent signatures share the pool of buffers.
func TestSigningAtTheSameTime(t *testing.T) {
	key := newSigner(testKey)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			message := with(paymentMessage(), map[string]string{"attach": strings.Repeat("x", i*100)})
			for _, algorithm := range []wechatpay.Scheme{MD5, HMACSHA256} {
				want := oracleSign(maps.Clone(message), testKey, algorithm)
				for range 50 {
					if got := key.sign(asFields(message), algorithm); got != want {
						t.Errorf("%s, not %s", got, want)
						return
					}
				}
			}
		})
	}
	group.Wait()
}
