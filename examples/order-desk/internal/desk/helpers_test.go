package desk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// mkdir makes a folder for one run of a property.
func mkdir(t testing.TB, folder string, run int) string {
	path := filepath.Join(folder, fmt.Sprint(run))
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// quickFolder returns a folder in memory where there is one: these tests write often, and what a disk
// does is not their subject.
func quickFolder(t testing.TB) string {
	folder, err := os.MkdirTemp("/dev/shm", "desk") //nolint:usetesting // t.TempDir is on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
