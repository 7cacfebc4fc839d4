package miniprogram

import (
	"testing"
	"testing/synctest"

	. "github.com/onsi/gomega"
)

// enterAll takes places until there is none, and returns how to give each back.
func enterAll(t *testing.T, p *places, of, namespace string) []func() {
	t.Helper()
	var all []func()
	for {
		leave, entered := p.enter(t.Context(), of, namespace)
		if !entered {
			return all
		}
		all = append(all, leave)
	}
}

func TestOneNamespaceNeverHoldsAllPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, p := NewWithT(t), newPlaces()
		first := enterAll(t, p, "lender", "greedy")
		g.Expect(first).To(HaveLen(perLender / 2))
		for _, namespace := range []string{"second", "third", "fourth"} {
			leave, entered := p.enter(t.Context(), "lender", namespace)
			g.Expect(entered).To(BeTrue(), namespace)
			defer leave()
		}
		g.Expect(enterAll(t, p, "other lender", "greedy")).To(HaveLen(perLender/2), "the places of each lender are its own")
		for _, leave := range first {
			leave()
		}
	})
}

// TestNamespacesThatWaitAreServedInTurn: all places are taken, and one namespace has many more calls
// than the other.
func TestNamespacesThatWaitAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, p := NewWithT(t), newPlaces()
		var held []func()
		for _, namespace := range []string{"greedy", "a", "b", "c", "d"} {
			held = append(held, enterAll(t, p, "lender", namespace)...)
		}
		g.Expect(held).To(HaveLen(perLender))
		served := make(chan string, 100)
		try := func(namespace string) {
			go func() {
				if _, entered := p.enter(t.Context(), "lender", namespace); entered {
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
		g.Expect(p.lenders["lender"].waiting).To(HaveLen(2), "one call of each namespace waits")
		held[len(held)-1]()
		synctest.Wait()
		g.Expect(served).To(Receive(Equal("modest")), "it holds fewer places")
		g.Expect(served).NotTo(Receive())
	})
}

func TestPlacesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, p := NewWithT(t), newPlaces()
		for _, leave := range enterAll(t, p, "lender", "shop") {
			leave()
		}
		g.Expect(p.lenders).To(BeEmpty())
	})
}
