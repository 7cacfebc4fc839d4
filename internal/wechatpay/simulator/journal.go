package simulator

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// journal is the state file: one JSON entry per line, each the newest version of one record. An
// entry is written before the call that caused it is answered, in a single write, so the process
// may be killed at any time: at worst the last line is torn, and its call was never answered. At
// startup the file is replaced by a new one with one line per record.
type journal struct {
	path string
	file *os.File
	// pending holds the records changed since the last flush, each once.
	pending map[string]entry
	order   []string
	unnamed int
	err     error
}

// entry is one line; exactly one of its fields is set.
type entry struct {
	Merchant  *merchant  `json:"merchant,omitempty"`
	Order     *Order     `json:"order,omitempty"`
	Refund    *Refund    `json:"refund,omitempty"`
	Callback  *Callback  `json:"callback,omitempty"`
	Violation *Violation `json:"violation,omitempty"`
	Call      *Call      `json:"call,omitempty"`
	// Issued is a merchant's API certificate from this simulator's authority.
	Issued *issuedCertificate `json:"issued,omitempty"`
	// Platform are WeChat Pay's own keys.
	Platform *platformKeys                `json:"platform,omitempty"`
	Counts   map[Operation]map[string]int `json:"counts,omitempty"`
}

// note adds a changed record to the next flush. A nil journal does nothing.
func (j *journal) note(name string, e entry) {
	if j == nil {
		return
	}
	if name == "" { // an entry that never changes
		j.unnamed++
		name = fmt.Sprintf("#%d", j.unnamed)
	}
	if _, noted := j.pending[name]; !noted {
		j.order = append(j.order, name)
	}
	j.pending[name] = e
}

// flush writes the pending records. An error persists, because a state file with a gap would be
// wrong after a restart.
func (j *journal) flush() error {
	if j == nil || len(j.order) == 0 || j.err != nil {
		return j.failure()
	}
	var lines bytes.Buffer
	for _, name := range j.order {
		line, err := json.Marshal(j.pending[name])
		if err != nil {
			j.err = err
			return err
		}
		lines.Write(append(line, '\n'))
	}
	_, j.err = j.file.Write(lines.Bytes())
	j.order, j.unnamed = j.order[:0], 0
	clear(j.pending)
	return j.err
}

func (j *journal) failure() error {
	if j == nil {
		return nil
	}
	return j.err
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.flush(), j.file.Sync(), j.file.Close())
}

// openJournal reads the state file into the store and rewrites it.
func openJournal(path string, t *store) error {
	if path == "" {
		return nil
	}
	if err := readJournal(path, t); err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, e := range t.entries() {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	if err := writeFile(path, lines.Bytes()); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	t.journal = &journal{path: path, file: file, pending: map[string]entry{}}
	return nil
}

func readJournal(path string, t *store) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	lines := bufio.NewReader(file)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // the rest without a line end is torn
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("state file %s, line %d: %w", path, number, err)
		}
		t.apply(e)
	}
}

// apply applies one line: a record replaces its older version in place.
func (t *store) apply(e entry) {
	switch {
	case e.Merchant != nil:
		t.saveMerchant(e.Merchant)
	case e.Order != nil:
		e.Order.upgrade()
		if existing := t.order(e.Order.MchID, e.Order.OutTradeNo); existing != nil {
			*existing = *e.Order
			e.Order = existing
		}
		t.saveOrder(e.Order)
	case e.Refund != nil:
		e.Refund.Protocol = cmp.Or(e.Refund.Protocol, ProtocolV2)
		if existing := t.refund(e.Refund.MchID, e.Refund.OutRefundNo); existing != nil {
			*existing = *e.Refund
			e.Refund = existing
		}
		t.saveRefund(e.Refund)
	case e.Callback != nil:
		e.Callback.Protocol = cmp.Or(e.Callback.Protocol, ProtocolV2)
		if existing := t.callbacks[e.Callback.ID]; existing != nil {
			*existing = *e.Callback
			e.Callback = existing
		}
		t.saveCallback(e.Callback)
	case e.Violation != nil:
		t.addViolation(*e.Violation)
	case e.Call != nil:
		t.addCall(*e.Call)
	case e.Issued != nil:
		t.saveIssued(e.Issued)
	case e.Platform != nil:
		t.savePlatform(e.Platform)
	case e.Counts != nil:
		t.callCounts = e.Counts
	}
}

// upgrade completes an order from a state file that was written before API v3 was simulated.
func (o *Order) upgrade() {
	if o.Protocol == "" {
		o.Protocol = ProtocolV2
		o.fillFromV2()
	}
}

// entries returns the lines of a new state file. The counts come last, because they include the
// calls before them.
func (t *store) entries() []entry {
	var out []entry
	for _, m := range t.merchants {
		out = append(out, entry{Merchant: m})
	}
	if t.platform != nil {
		out = append(out, entry{Platform: t.platform})
	}
	for _, issued := range t.issued {
		out = append(out, entry{Issued: issued})
	}
	for _, o := range t.orderList {
		out = append(out, entry{Order: o})
	}
	for _, r := range t.refundList {
		out = append(out, entry{Refund: r})
	}
	for _, c := range t.callbackList {
		out = append(out, entry{Callback: c})
	}
	for i := range t.violations {
		out = append(out, entry{Violation: &t.violations[i]})
	}
	for _, c := range t.latestCalls() {
		out = append(out, entry{Call: &c})
	}
	if len(t.callCounts) > 0 {
		out = append(out, entry{Counts: t.callCounts})
	}
	return out
}
