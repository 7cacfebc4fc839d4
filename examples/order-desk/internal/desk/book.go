// Package desk keeps what the shop's desk has heard of and done: which orders are to be printed, in
// which order, which are printed, and whom it has told. Everything is stored in a journal before it
// counts.
package desk

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/journal"
)

// Book is the desk's memory. Its methods can be called at the same time.
type Book struct {
	journal *journal.Journal
	now     func() time.Time
	// keepFor is how long an entry is remembered. A sender repeats an event for a day at most.
	keepFor time.Duration

	mutex   sync.Mutex
	entries []*Entry // in the order of arrival
	byID    map[string]*Entry
	// queue are the entries to be printed, first come first served. An entry is in it once at most.
	queue []*Entry
	// changed is closed at the next change, and broken when nothing can be stored any more.
	changed, broken chan struct{}
	breaks          sync.Once
}

// Entry is an event, and what became of it.
type Entry struct {
	Event    event.Event `json:"event"`
	Received time.Time   `json:"received"`
	// Goods are what was sold, once they were read from the Order.
	Goods *Goods `json:"goods,omitempty"`
	// Copies counts how often it was printed, last at Printed.
	Copies  int       `json:"copies,omitempty"`
	Printed time.Time `json:"printed,omitzero"`
	// Begun reports that an attempt to print it reached the printer and that its end is not known:
	// there may be paper of it.
	Begun bool `json:"begun,omitempty"`
	// Reminded, Forwarded and Messaged report who was told of it. Messaged says with which result.
	Reminded  bool   `json:"reminded,omitempty"`
	Forwarded bool   `json:"forwarded,omitempty"`
	Messaged  string `json:"messaged,omitempty"`
}

// Goods are what was sold. Nothing about the payer is stored.
type Goods struct {
	Description string `json:"description,omitempty"`
	Items       []Item `json:"items,omitempty"`
}

// Item is one of the goods.
type Item struct {
	Name     string `json:"name"`
	Quantity int64  `json:"quantity"`
}

// The kinds of records in the journal.
const (
	received  = "received"
	described = "described"
	begun     = "begun"
	printed   = "printed"
	again     = "again"
	reminded  = "reminded"
	forwarded = "forwarded"
	messaged  = "messaged"
	// kept is a whole entry, and queued the queue, after the journal was rewritten.
	kept   = "kept"
	queued = "queued"
)

// record is a change of the Book.
type record struct {
	Kind   string       `json:"kind"`
	ID     string       `json:"id,omitempty"`
	IDs    []string     `json:"ids,omitempty"`
	At     time.Time    `json:"at,omitzero"`
	Event  *event.Event `json:"event,omitempty"`
	Goods  *Goods       `json:"goods,omitempty"`
	Result string       `json:"result,omitempty"`
	Entry  *Entry       `json:"entry,omitempty"`
}

// Open opens the Book in a file. damaged is the number of bytes of a change that a crash broke off.
func Open(path string, keepFor time.Duration, now func() time.Time) (book *Book, damaged int64, err error) {
	b := &Book{now: now, keepFor: keepFor, byID: map[string]*Entry{}, changed: make(chan struct{}), broken: make(chan struct{})}
	b.journal, damaged, err = journal.Open(path, func(content []byte) error {
		var r record
		if err := json.Unmarshal(content, &r); err != nil {
			return err
		}
		return b.apply(r)
	})
	if err != nil {
		return nil, 0, err
	}
	return b, damaged, nil
}

// Close closes the file.
func (b *Book) Close() error { return b.journal.Close() }

// Broken is closed when nothing can be stored any more, because the disk is full for example. The
// process has to end then: what the file holds is known after the next Open.
func (b *Book) Broken() <-chan struct{} { return b.broken }

// Receive stores an event, and does nothing if it is there already.
func (b *Book) Receive(e event.Event) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.byID[e.ID] != nil {
		return nil
	}
	if err := b.forgetOld(); err != nil {
		return err
	}
	return b.change(record{Kind: received, Event: &e})
}

// PrintAgain puts an entry at the end of the queue, unless it waits there. It reports whether there
// is such an entry.
func (b *Book) PrintAgain(id string) (bool, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	entry := b.byID[id]
	if entry == nil || !entry.Event.IsPayment() {
		return false, nil
	}
	if slices.Contains(b.queue, entry) {
		return true, nil
	}
	return true, b.change(record{Kind: again, ID: id})
}

// Describe stores what was sold.
func (b *Book) Describe(id string, goods Goods) error {
	return b.do(record{Kind: described, ID: id, Goods: &goods})
}

// Begin stores that the printer is about to be sent an entry.
func (b *Book) Begin(id string) error { return b.do(record{Kind: begun, ID: id}) }

// Printed stores that an entry was printed.
func (b *Book) Printed(id string) error { return b.do(record{Kind: printed, ID: id}) }

// Reminded stores that the staff was told of entries.
func (b *Book) Reminded(ids []string) error { return b.do(record{Kind: reminded, IDs: ids}) }

// Forwarded stores that an entry was forwarded.
func (b *Book) Forwarded(id string) error { return b.do(record{Kind: forwarded, ID: id}) }

// Messaged stores how the message to the payer ended.
func (b *Book) Messaged(id, result string) error {
	return b.do(record{Kind: messaged, ID: id, Result: result})
}

// NextToPrint returns the entry that is to be printed next, and nil if there is none. changed is
// closed when that may be different.
func (b *Book) NextToPrint() (next *Entry, changed <-chan struct{}) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(b.queue) > 0 {
		next = b.queue[0].copy()
	}
	return next, b.changed
}

// Select returns the entries that a function chooses, in the order of arrival.
func (b *Book) Select(chosen func(*Entry) bool) (entries []*Entry, changed <-chan struct{}) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, entry := range b.entries {
		if chosen(entry) {
			entries = append(entries, entry.copy())
		}
	}
	return entries, b.changed
}

// Waiting returns the ids in the queue.
func (b *Book) Waiting() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return ids(b.queue)
}

// WasPrinted reports whether there may be paper of the same payment from an earlier event with another id.
func (b *Book) WasPrinted(e event.Event) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, entry := range b.entries {
		if entry.Event.ID == e.ID {
			return false
		}
		if (entry.Copies > 0 || entry.Begun) && entry.Event.IsSamePayment(e) {
			return true
		}
	}
	return false
}

// CheckFirst reports whether what was paid may have been shipped already, so that people have to compare before they ship.
func (b *Book) CheckFirst(e event.Event) bool { return e.MayBeShipped() || b.WasPrinted(e) }

// OrderOf returns the payment of an Order, nil if the desk has not heard of it.
func (b *Book) OrderOf(namespace, name string) *Entry {
	payments, _ := b.Select(func(e *Entry) bool {
		return e.Event.IsPayment() && e.Event.Object.Namespace == namespace && e.Event.Object.Name == name
	})
	if len(payments) == 0 {
		return nil
	}
	return payments[len(payments)-1]
}

// RefundsOf returns the last event of each Refund of an Order.
func (b *Book) RefundsOf(namespace, order string) []*Entry {
	heard, _ := b.Select(func(e *Entry) bool {
		return e.Event.IsRefund() && e.Event.Object.Namespace == namespace && e.Event.Object.Order == order
	})
	var last []*Entry
	for _, e := range heard {
		same := func(other *Entry) bool { return other.Event.Object.UID == e.Event.Object.UID }
		if i := slices.IndexFunc(last, same); i < 0 {
			last = append(last, e)
		} else if last[i].Event.Type == event.RefundRequested {
			last[i] = e // whatever came first, an end is later than the request
		}
	}
	return last
}

func (b *Book) do(r record) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.change(r)
}

// change stores a change and makes it. The mutex is held.
func (b *Book) change(r record) error {
	r.At = b.now().UTC()
	if r.ID != "" && b.byID[r.ID] == nil {
		return nil // it was forgotten meanwhile
	}
	if err := b.journal.Append(r); err != nil {
		b.breaks.Do(func() { close(b.broken) })
		return err
	}
	if err := b.apply(r); err != nil {
		return err
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// apply makes a change in memory.
func (b *Book) apply(r record) error {
	switch r.Kind {
	case received:
		b.add(&Entry{Event: *r.Event, Received: r.At})
		if r.Event.IsPayment() {
			b.queue = append(b.queue, b.byID[r.Event.ID])
		}
		return nil
	case kept:
		b.add(r.Entry)
		return nil
	case reminded, queued:
		for _, id := range r.IDs {
			if entry := b.byID[id]; entry != nil && r.Kind == reminded {
				entry.Reminded = true
			} else if entry != nil {
				b.queue = append(b.queue, entry)
			}
		}
		return nil
	}
	entry := b.byID[r.ID]
	if entry == nil {
		return nil // it was forgotten meanwhile
	}
	switch r.Kind {
	case described:
		entry.Goods = r.Goods
	case begun:
		entry.Begun = true
	case printed:
		entry.Copies, entry.Printed, entry.Begun = entry.Copies+1, r.At, false
		b.queue = slices.DeleteFunc(b.queue, func(other *Entry) bool { return other == entry })
	case again:
		b.queue = append(b.queue, entry)
	case forwarded:
		entry.Forwarded = true
	case messaged:
		entry.Messaged = r.Result
	default:
		return fmt.Errorf("it is of the kind %q, which this version does not know", r.Kind)
	}
	return nil
}

func (b *Book) add(entry *Entry) {
	b.entries = append(b.entries, entry)
	b.byID[entry.Event.ID] = entry
}

// forgetOld drops entries that are old and not waiting, and rewrites the journal once most of it is
// about what was dropped. The mutex is held.
func (b *Book) forgetOld() error {
	oldest := b.now().Add(-b.keepFor)
	b.entries = slices.DeleteFunc(b.entries, func(entry *Entry) bool {
		old := entry.Received.Before(oldest) && !slices.Contains(b.queue, entry)
		if old {
			delete(b.byID, entry.Event.ID)
		}
		return old
	})
	// An entry takes about six records from its arrival to its end.
	if b.journal.Records() < 100+12*len(b.entries) {
		return nil
	}
	var records []any
	for _, entry := range b.entries {
		records = append(records, record{Kind: kept, Entry: entry})
	}
	return b.journal.Replace(append(records, record{Kind: queued, IDs: ids(b.queue)}))
}

func ids(entries []*Entry) []string {
	var ids []string
	for _, entry := range entries {
		ids = append(ids, entry.Event.ID)
	}
	return ids
}

func (e *Entry) copy() *Entry {
	other := *e
	return &other
}
