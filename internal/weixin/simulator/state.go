package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// state is the file that keeps what was uploaded: one JSON entry per line, the newest version of a
// record last. An entry is written before the call that caused it is answered, so that the process
// may be killed at any time: at worst the last line is torn, and its call was never answered.
type state struct {
	file *os.File
	// pending are the entries since the last flush.
	pending []entry
	err     error
}

// entry is one line; exactly one of its fields is set.
type entry struct {
	Shipping  *Shipping  `json:"shipping,omitempty"`
	Upload    *Upload    `json:"upload,omitempty"`
	Violation *Violation `json:"violation,omitempty"`
}

// openState restores what an earlier process kept, and continues its file.
func (s *Simulator) openState(path string) error {
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := content[:bytes.LastIndexByte(content, '\n')+1] // the rest is torn
	for i, line := range bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n")) {
		if len(whole) == 0 {
			break
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("state file %s, line %d: %w", path, i+1, err)
		}
		s.restore(e)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := file.Truncate(int64(len(whole))); err != nil {
		return errors.Join(err, file.Close())
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return errors.Join(err, file.Close())
	}
	s.state = &state{file: file}
	return nil
}

// restore applies one line.
func (s *Simulator) restore(e entry) {
	switch {
	case e.Shipping != nil:
		known := s.shipped[e.Shipping.TransactionID]
		if known == nil {
			s.shipped[e.Shipping.TransactionID] = e.Shipping
			s.order = append(s.order, e.Shipping)
			return
		}
		*known = *e.Shipping
	case e.Upload != nil:
		s.journal.Uploads = append(s.journal.Uploads, *e.Upload)
	case e.Violation != nil:
		s.journal.Violations = append(s.journal.Violations, *e.Violation)
	}
}

// keep adds an entry to the next flush. A nil state does nothing.
func (t *state) keep(e entry) {
	if t != nil {
		t.pending = append(t.pending, e)
	}
}

// flush writes what is pending in a single write. An error persists, because a state file with a gap
// would be wrong after a restart.
func (t *state) flush() error {
	if t == nil || t.err != nil || len(t.pending) == 0 {
		return t.failure()
	}
	var lines bytes.Buffer
	for _, e := range t.pending {
		line, err := json.Marshal(e)
		if err != nil {
			t.err = err
			return err
		}
		lines.Write(append(line, '\n'))
	}
	_, t.err = t.file.Write(lines.Bytes())
	t.pending = nil
	return t.err
}

func (t *state) failure() error {
	if t == nil {
		return nil
	}
	return t.err
}

func (t *state) close() {
	if t != nil {
		_ = t.file.Close() // everything is flushed before its answer
	}
}
