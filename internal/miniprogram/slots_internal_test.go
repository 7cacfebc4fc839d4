package miniprogram

import (
	"testing"
	"testing/synctest"

	. "github.com/onsi/gomega"
)

// acquireAll acquires slots until none is free, and returns the functions that release them.
func acquireAll(t *testing.T, s *callSlots, owner, namespace string) []func() {
	t.Helper()
	var all []func()
	for {
		release, acquired := s.acquire(t.Context(), owner, namespace)
		if !acquired {
			return all
		}
		all = append(all, release)
	}
}

func TestOneNamespaceNeverHoldsAllSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := NewWithT(t), newCallSlots()
		first := acquireAll(t, s, "owner", "greedy")
		g.Expect(first).To(HaveLen(slotsPerOwner / 2))
		for _, namespace := range []string{"second", "third", "fourth"} {
			release, acquired := s.acquire(t.Context(), "owner", namespace)
			g.Expect(acquired).To(BeTrue(), namespace)
			defer release()
		}
		g.Expect(acquireAll(t, s, "other owner", "greedy")).To(HaveLen(slotsPerOwner/2), "the slots of each owner are its own")
		for _, release := range first {
			release()
		}
	})
}

// TestNamespacesThatWaitAreServedInTurn: all slots are used, and one namespace has many more calls
// than the other.
func TestNamespacesThatWaitAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := NewWithT(t), newCallSlots()
		var held []func()
		for _, namespace := range []string{"greedy", "a", "b", "c", "d"} {
			held = append(held, acquireAll(t, s, "owner", namespace)...)
		}
		g.Expect(held).To(HaveLen(slotsPerOwner))
		served := make(chan string, 100)
		try := func(namespace string) {
			go func() {
				if _, acquired := s.acquire(t.Context(), "owner", namespace); acquired {
					served <- namespace
				}
			}()
		}
		for range 50 {
			try("greedy")
		}
		synctest.Wait()
		try("modest")
		synctest.Wait()
		g.Expect(s.byOwner["owner"].waiting).To(HaveLen(2), "one call of each namespace waits")
		held[len(held)-1]()
		synctest.Wait()
		g.Expect(served).To(Receive(Equal("modest")), "it holds fewer slots")
		g.Expect(served).NotTo(Receive())
	})
}

func TestPlacesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := NewWithT(t), newCallSlots()
		for _, release := range acquireAll(t, s, "owner", "shop") {
			release()
		}
		g.Expect(s.byOwner).To(BeEmpty())
	})
}
