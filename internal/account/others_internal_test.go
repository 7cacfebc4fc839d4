package account

import (
	"slices"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// TestOthersAreAllUsableOnes in an order that does not change.
func TestOthersAreAllUsableOnes(t *testing.T) {
	t.Parallel()
	connections := map[v1alpha1.Protocol]*Connection{}
	for _, name := range []v1alpha1.Protocol{"V7", "V6", "V5", "V4", "V3", "V2", "V1"} {
		connections[name] = &Connection{Protocol: name}
	}
	connections["V4"].problem = &Problem{Reason: v1alpha1.ReasonInvalidAPIKey}
	rejected := &credentialHealth{}
	rejected.rejected.Store(true)
	connections["V5"].health = rejected
	account := &Account{Connection: connections["V2"], connections: connections}
	var names []v1alpha1.Protocol
	for _, other := range account.Others() {
		names = append(names, other.Protocol)
	}
	if want := []v1alpha1.Protocol{"V1", "V3", "V6", "V7"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}
