package main

import (
	"context"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// book has the Orders and Refunds of the shop's namespace as the shared watches have shown them. All requests read it, and wait for
// changes of it; none of them watches or polls by itself. The objects in it are not to be changed.
type book struct {
	mutex  sync.Mutex
	orders map[string]*entry
	// byPayer has the numbers of Orders.
	byPayer map[string]map[string]bool
	// refunds are by the name of their Order, then by their own.
	refunds map[string]map[string]*v1alpha1.Refund
	// waiting are the requests that wait for an Order, by its number.
	waiting map[string]*waiting
	stock   stock
	// withdraw is called, by itself, to close an Order for which there are no pieces.
	withdraw func(*v1alpha1.Order)
}

// waiting are those who wait for one Order.
type waiting struct {
	// changed is closed at the next change.
	changed chan struct{}
	count   int
}

// entry is an Order in the book.
type entry struct {
	order *v1alpha1.Order
	// claimed is what the Order takes from the stock.
	claimed claim
	// excess is set if all pieces were taken when the Order arrived.
	excess bool
	// withdrawing is set while the Order is being closed for that.
	withdrawing bool
}

// state is what a page that pays is told: an Order for which there are no pieces can't be paid.
func (e entry) state() orderState {
	state := stateOf(e.order)
	if state == orderAwaitingPayment && (e.excess || e.order.Annotations[annotationWithdrawn] != "") {
		return orderPending
	}
	return state
}

func newBook(products *catalogue) *book {
	return &book{
		orders: map[string]*entry{}, byPayer: map[string]map[string]bool{}, refunds: map[string]map[string]*v1alpha1.Refund{},
		waiting: map[string]*waiting{}, stock: newStock(products),
	}
}

// putOrder takes what a watch shows. The Orders of the initial list were admitted to the stock before; later ones arrive in the order
// in which they were created, in every replica the same.
func (b *book) putOrder(order *v1alpha1.Order, initial bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	known, found := b.orders[order.Name]
	if !found {
		known = &entry{}
		b.orders[order.Name] = known
		add(b.byPayer, order.Labels[labelPayer], order.Name, true)
		if !initial {
			known.excess = b.stock.isExceededBy(order)
		}
		b.stock.arrived(order)
	}
	now := b.stock.claimOf(order)
	b.stock.exchange(known.claimed, now)
	known.order, known.claimed = order, now
	b.withdrawExcess(known)
	b.wake(order.Name)
}

// withdrawExcess has an Order closed for which there are no pieces, whether or not a request waits for it. The mutex is held.
func (b *book) withdrawExcess(known *entry) {
	order := known.order
	closing := order.Annotations[annotationWithdrawn] != "" || order.DeletionTimestamp != nil
	if !known.excess || known.withdrawing || closing || !isOpen(order) || b.withdraw == nil {
		return
	}
	known.withdrawing = true
	go func() {
		b.withdraw(order)
		b.mutex.Lock()
		defer b.mutex.Unlock()
		known.withdrawing = false
	}()
}

func (b *book) removeOrder(order *v1alpha1.Order) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known, found := b.orders[order.Name]; found {
		b.stock.exchange(known.claimed, claim{})
		delete(b.orders, order.Name)
		remove(b.byPayer, order.Labels[labelPayer], order.Name)
	}
	b.wake(order.Name)
}

func (b *book) putRefund(refund *v1alpha1.Refund) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	add(b.refunds, refund.Spec.OrderRef.Name, refund.Name, refund)
}

func (b *book) removeRefund(refund *v1alpha1.Refund) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	remove(b.refunds, refund.Spec.OrderRef.Name, refund.Name)
}

func (b *book) wake(name string) {
	if waiting := b.waiting[name]; waiting != nil {
		close(waiting.changed)
		waiting.changed = make(chan struct{})
	}
}

// await calls look with an Order as the book has it, now and after each change, until look is done or the context ends. The Order is
// nil while the book has none.
func (b *book) await(ctx context.Context, number string, look func(entry) (done bool, err error)) error {
	b.mutex.Lock()
	joined := b.waiting[number]
	if joined == nil {
		joined = &waiting{changed: make(chan struct{})}
		b.waiting[number] = joined
	}
	joined.count++
	b.mutex.Unlock()
	defer func() {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		if joined.count--; joined.count == 0 {
			delete(b.waiting, number)
		}
	}()
	for {
		known, changed := b.look(number, joined)
		if done, err := look(known); done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *book) look(number string, joined *waiting) (entry, <-chan struct{}) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known := b.orders[number]; known != nil {
		return *known, joined.changed
	}
	return entry{}, joined.changed
}

// order returns an Order as the book has it now, or nil.
func (b *book) order(number string) *v1alpha1.Order {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known := b.orders[number]; known != nil {
		return known.order
	}
	return nil
}

// ordersOf returns the Orders of a payer, in no order.
func (b *book) ordersOf(payer string) []*v1alpha1.Order {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var found []*v1alpha1.Order
	for number := range b.byPayer[payer] {
		found = append(found, b.orders[number].order)
	}
	return found
}

// orderOf returns an Order of a payer; another one's is not told from one that does not exist.
func (b *book) orderOf(payer, number string) (entry, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known := b.orders[number]; known != nil && known.order.Labels[labelPayer] == payer {
		return *known, nil
	}
	return entry{}, noSuchOrder(number)
}

// refundsOf returns the Refunds of an Order, in no order.
func (b *book) refundsOf(number string) []*v1alpha1.Refund {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var found []*v1alpha1.Refund
	for _, refund := range b.refunds[number] {
		found = append(found, refund)
	}
	return found
}

// available is what is left of a product.
func (b *book) available(p product) int64 {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.stock.available(p)
}

// reserve keeps pieces for an Order that is about to be created, unless too few are left. Only the request that made the reservation
// may release it; otherwise it ends when the watch shows the Order.
func (b *book) reserve(number string, of goods) (made bool, err error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.orders[number] != nil {
		return false, nil // it is counted already
	}
	return b.stock.reserve(number, of)
}

// release gives back what was reserved for an Order that was not created.
func (b *book) release(number string, of goods) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.stock.release(of.product.ID, number)
}

func add[V any](in map[string]map[string]V, group, name string, value V) {
	if in[group] == nil {
		in[group] = map[string]V{}
	}
	in[group][name] = value
}

func remove[V any](from map[string]map[string]V, group, name string) {
	if delete(from[group], name); len(from[group]) == 0 {
		delete(from, group)
	}
}
