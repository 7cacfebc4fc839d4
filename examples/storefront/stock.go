package main

import (
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// stock counts what the Orders in the cluster take from it: nothing of it has to be stored. The book's mutex guards it.
type stock struct {
	products map[string]product
	// taken is the sum of the claims by product.
	taken map[string]int64
	// reserved is, by product and number, what Orders will claim that are about to be created.
	reserved map[string]map[string]int64
}

// claim is what an Order takes from the stock.
type claim struct {
	product  string
	quantity int64
}

func newStock(products *catalogue) stock {
	s := stock{products: map[string]product{}, taken: map[string]int64{}, reserved: map[string]map[string]int64{}}
	for _, p := range products.Products {
		s.products[p.ID] = p
	}
	return s
}

// claimOf is what an Order takes: while it is open it reserves its pieces, and when it is paid it has sold them, unless they were
// gone already when the stock was counted. An Order that ends unpaid gives them back.
func (s stock) claimOf(order *v1alpha1.Order) claim {
	sold := stateOf(order) == orderPaid
	counted := s.products[order.Labels[labelProduct]].CountedTime
	if sold && order.Status.Transaction != nil && order.Status.Transaction.PaidTime != nil {
		sold = !order.Status.Transaction.PaidTime.Before(&counted)
	}
	if !sold && !isOpen(order) {
		return claim{}
	}
	return claim{order.Labels[labelProduct], quantityOf(order)}
}

func (s stock) exchange(before, now claim) {
	s.taken[before.product] -= before.quantity
	s.taken[now.product] += now.quantity
}

// arrived ends the reservation of an Order, which claims for itself from now on.
func (s stock) arrived(order *v1alpha1.Order) { s.release(order.Labels[labelProduct], order.Name) }

func (s stock) release(productID, number string) { remove(s.reserved, productID, number) }

func (s stock) available(p product) int64 {
	left := p.Stock - s.taken[p.ID]
	for _, quantity := range s.reserved[p.ID] {
		left -= quantity
	}
	return left
}

// reserve fails if too few pieces are left. A second click reserves nothing more, and so has made nothing that it may release.
func (s stock) reserve(number string, of goods) (made bool, err error) {
	if _, found := s.reserved[of.product.ID][number]; found {
		return false, nil
	}
	if left := s.available(of.product); left < of.quantity {
		return false, soldOut(of, left)
	}
	add(s.reserved, of.product.ID, number, of.quantity)
	return true, nil
}

// isExceededBy reports whether all pieces are taken by earlier Orders when this one arrives. It settles the race between replicas,
// which see Orders arrive in the same order. While replicas restart with a new catalogue, each judges by its own count only: one with
// the old count would close what the new one has pieces for.
func (s stock) isExceededBy(order *v1alpha1.Order) bool {
	p, found := s.products[order.Labels[labelProduct]]
	if count, named := order.Annotations[annotationCount]; !found || (named && count != p.count()) {
		return false
	}
	quantity := quantityOf(order)
	return quantity > 0 && s.taken[p.ID]+quantity > p.Stock
}

// count names the stock and the time at which it was counted.
func (p product) count() string {
	return fmt.Sprintf("%d at %s", p.Stock, p.CountedTime.UTC().Format(time.RFC3339))
}

func soldOut(of goods, left int64) error {
	return refusal{codeSoldOut, fmt.Sprintf("%d pieces of %q are left", max(0, left), of.product.ID)}
}
