package simulation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// StateFile keeps records: one JSON entry per line, each the newest version of one record. An entry is written in a
// single write before the call that caused it is answered, so the process may be killed at any time: at worst the last
// line is incomplete, and its call was never answered. At startup the file is replaced by a new one with one line per
// record. A nil StateFile keeps nothing.
type StateFile[E any] struct {
	file *os.File
	// pending holds the records changed since the last flush, each once.
	pending map[string]E
	order   []string
	unnamed int
	err     error
}

// OpenStateFile restores the records of an earlier process, and rewrites the file with what records returns. Without a
// path it returns nil.
func OpenStateFile[E any](path string, restore func(E), records func() []E) (*StateFile[E], error) {
	if path == "" {
		return nil, nil // a nil StateFile keeps nothing
	}
	if err := readLines(path, restore); err != nil {
		return nil, err
	}
	lines, err := linesOf(records())
	if err != nil {
		return nil, err
	}
	if err := WriteFile(path, lines); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &StateFile[E]{file: file, pending: map[string]E{}}, nil
}

func readLines[E any](path string, restore func(E)) error {
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
			return nil // a last line without a line end is incomplete
		}
		if err != nil {
			return err
		}
		var e E
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("state file %s, line %d: %w", path, number, err)
		}
		restore(e)
	}
}

func linesOf[E any](entries []E) ([]byte, error) {
	var lines bytes.Buffer
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		lines.Write(append(line, '\n'))
	}
	return lines.Bytes(), nil
}

// Note adds a record to the next flush, and replaces its older version. A record that never changes needs no name.
func (f *StateFile[E]) Note(name string, e E) {
	if f == nil {
		return
	}
	if name == "" {
		f.unnamed++
		name = fmt.Sprintf("#%d", f.unnamed)
	}
	if _, noted := f.pending[name]; !noted {
		f.order = append(f.order, name)
	}
	f.pending[name] = e
}

// Flush writes the pending records. An error persists, because a state file with a gap would be wrong after
// a restart.
func (f *StateFile[E]) Flush() error {
	switch {
	case f == nil:
		return nil
	case f.err != nil || len(f.order) == 0:
		return f.err
	}
	entries := make([]E, 0, len(f.order))
	for _, name := range f.order {
		entries = append(entries, f.pending[name])
	}
	lines, err := linesOf(entries)
	if err == nil {
		_, err = f.file.Write(lines)
	}
	f.err = err
	f.order, f.unnamed = f.order[:0], 0
	clear(f.pending)
	return err
}

// Close writes the pending records and closes the file.
func (f *StateFile[E]) Close() error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Flush(), f.file.Sync(), f.file.Close())
}

// WriteFile writes a file atomically, readable by its owner only.
func WriteFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return os.Rename(temporary.Name(), path)
}
