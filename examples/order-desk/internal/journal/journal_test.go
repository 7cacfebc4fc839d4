package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// open opens a journal of strings and returns what is in it.
func open(t testing.TB, path string) (*Journal, []string, error) {
	t.Helper()
	var records []string
	j, _, err := Open(path, func(record []byte) error {
		var text string
		if err := json.Unmarshal(record, &text); err != nil {
			return err
		}
		records = append(records, text)
		return nil
	})
	if err == nil {
		t.Cleanup(func() { _ = j.Close() })
	}
	return j, records, err
}

func fill(t testing.TB, path string, records ...string) {
	t.Helper()
	j, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		if err := j.Append(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWhateverACrashLeaves: a file that ends anywhere has all records whose line is complete, and takes
// others after them.
func TestWhateverACrashLeaves(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "journal")
	written := []string{"one", "two\nlines", "三", ""}
	fill(t, whole, written...)
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for length := range len(content) + 1 {
		for _, garbage := range []string{"", "\x00\x00\x00", "\x00\n"} {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(string(content[:length])+garbage), 0o600); err != nil {
				t.Fatal(err)
			}
			want := written[:strings.Count(string(content[:length]), "\n")]
			j, got, err := open(t, path)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d bytes and %q: %q, %v", length, garbage, got, err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() != int64(strings.LastIndex(string(content[:length]), "\n")+1) {
				t.Fatalf("%d bytes and %q: %d bytes are left (%v)", length, garbage, info.Size(), err)
			}
			if err := errors.Join(j.Append("next"), j.Close()); err != nil {
				t.Fatal(err)
			}
			if _, got, err := open(t, path); err != nil || !slices.Equal(got, append(slices.Clone(want), "next")) {
				t.Fatalf("%d bytes and %q, then: %q, %v", length, garbage, got, err)
			}
		}
	}
}

// TestDamageIsNotTakenForACrash: what was acknowledged is not dropped silently.
func TestDamageIsNotTakenForACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	fill(t, path, "one", "two", "three")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := strings.Replace(string(content), `"two"`, `"tow"`, 1)
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, path); err == nil || !strings.Contains(err.Error(), "damaged at byte") {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != damaged {
		t.Error("the file was changed")
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if _, _, err := open(t, path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, path); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	fill(t, path, "one", "two")
	j, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Replace([]any{"both"}), j.Append("three"), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, got, err := open(t, path); err != nil || fmt.Sprint(got) != "[both three]" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestNothingIsAcknowledgedAfterAFailure: the journal can't know what a failed write has left.
func TestNothingIsAcknowledgedAfterAFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	good := j.file
	if j.file, err = os.Open(path); err != nil { // for reading only
		t.Fatal(err)
	}
	if j.Append("one") == nil {
		t.Error("acknowledged")
	}
	j.file = good
	if j.Append("two") == nil || j.Replace(nil) == nil {
		t.Error("acknowledged after a failure")
	}
}
