// Package journal stores records in a file that only grows, so that what was appended is there after
// any crash.
//
// Each record is one line: a checksum, a space and JSON. A crash in the middle of a write leaves a
// last line that does not match its checksum; it was never acknowledged, and Open removes it.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

var table = crc32.MakeTable(crc32.Castagnoli)

// Journal is an open file of records. One process has it open at a time.
type Journal struct {
	path string
	lock *os.File

	mutex   sync.Mutex
	file    *os.File
	records int
	broken  error
}

// ErrInUse is the error when another process has the journal open.
var ErrInUse = errors.New("another process has the journal open")

// Open opens or creates a journal and passes each record in it to replay. damaged is the number of
// bytes of a half-written last record, which were removed.
func Open(path string, replay func(record []byte) error) (journal *Journal, damaged int64, err error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, 0, err
	}
	j := &Journal{path: path, lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.Close())
		}
	}()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, 0, err
	}
	good, err := j.read(replay)
	if err != nil {
		return nil, 0, err
	}
	end, err := j.file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, err
	}
	if end > good {
		if err := j.file.Truncate(good); err != nil {
			return nil, 0, err
		}
	}
	if _, err := j.file.Seek(good, io.SeekStart); err != nil {
		return nil, 0, err
	}
	if err := errors.Join(j.file.Sync(), syncFolder(path)); err != nil {
		return nil, 0, err
	}
	return j, end - good, nil
}

// read passes the records on, and returns where the good ones end. Damage before a good record is no
// trace of a crash: it is an error, because removing it would lose records that were acknowledged.
func (j *Journal) read(replay func([]byte) error) (good int64, err error) {
	reader := bufio.NewReader(j.file)
	position, damagedAt := int64(0), int64(-1)
	for {
		line, err := reader.ReadBytes('\n')
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return 0, err
		}
		record, ok := decode(line)
		switch {
		case ok && damagedAt >= 0:
			return 0, fmt.Errorf("%s is damaged at byte %d, before records that are good: restore it, or move it away and start without it", j.path, damagedAt)
		case ok:
			if err := replay(record); err != nil {
				return 0, fmt.Errorf("%s, record at byte %d: %w", j.path, position, err)
			}
			j.records++
			good = position + int64(len(line))
		case damagedAt < 0 && len(line) > 0:
			damagedAt = position
		}
		position += int64(len(line))
		if ended {
			return good, nil
		}
	}
}

// Append stores a record. When it returns nil, the record is on the disk. After an error nothing can
// be appended any more, because what the file holds is not known until it is opened again.
func (j *Journal) Append(record any) error {
	line, err := encode(record)
	if err != nil {
		return err
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.broken != nil {
		return j.broken
	}
	_, err = j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.broken = fmt.Errorf("the journal can't be written: %w", err)
		return j.broken
	}
	j.records++
	return nil
}

// Records returns how many records the file has.
func (j *Journal) Records() int {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.records
}

// Replace replaces all records by others at once: after a crash there are the old ones or the new
// ones.
func (j *Journal) Replace(records []any) error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.broken != nil {
		return j.broken
	}
	fresh, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := writeAll(fresh, records); err != nil {
		return errors.Join(err, fresh.Close())
	}
	if err := os.Rename(fresh.Name(), j.path); err != nil {
		return errors.Join(err, fresh.Close())
	}
	old := j.file
	j.file, j.records = fresh, len(records)
	if err := errors.Join(syncFolder(j.path), old.Close()); err != nil {
		j.broken = fmt.Errorf("the journal can't be written: %w", err)
	}
	return j.broken
}

func writeAll(file *os.File, records []any) error {
	writer := bufio.NewWriter(file)
	for _, record := range records {
		line, err := encode(record)
		if err != nil {
			return err
		}
		if _, err := writer.Write(line); err != nil {
			return err
		}
	}
	return errors.Join(writer.Flush(), file.Sync())
}

// Close closes the file and lets another process open it.
func (j *Journal) Close() error {
	var err error
	if j.file != nil {
		err = j.file.Close()
	}
	return errors.Join(err, j.lock.Close())
}

func encode(record any) ([]byte, error) {
	content, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(content, table), content), nil
}

// decode returns the record of a line, if the line is complete and matches its checksum.
func decode(line []byte) ([]byte, bool) {
	sum, content, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if !found || !bytes.HasSuffix(line, []byte("\n")) {
		return nil, false
	}
	return content, string(sum) == fmt.Sprintf("%08x", crc32.Checksum(content, table))
}

// syncFolder makes the name of a file durable.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
