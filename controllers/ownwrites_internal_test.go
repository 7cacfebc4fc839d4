package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// TestStaleCacheIsDetected: an object older than the last own write is read later; after a
// while the cached version is used.
func TestStaleCacheIsDetected(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakePassiveClock(staleNow)
	writes := newOwnWrites(clock)
	version := func(uid, version string) *v1alpha1.Order {
		return &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
	}
	writes.note(version("a", "99"))
	writes.note(version("a", "100"))
	for _, c := range []struct {
		uid, version string
		want         bool
	}{
		{"a", "99", true}, {"a", "9", true}, {"a", "100", false}, {"a", "101", false}, {"b", "1", false}, {"a", "", false}, {"a", "x", false},
	} {
		if got := writes.newerThan(version(c.uid, c.version)); got != c.want {
			t.Errorf("%s at %q: %t", c.uid, c.version, got)
		}
	}
	clock.SetTime(staleNow.Add(2 * ownWriteTTL))
	if writes.newerThan(version("a", "99")) {
		t.Error("it is not believed for ever")
	}
}
