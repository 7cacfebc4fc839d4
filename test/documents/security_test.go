package documents

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
)

// TestWhatSomebodyCantDoIsTried: each thing that docs/security.md says an attacker can't do names a test that there is.
func TestWhatSomebodyCantDoIsTried(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| who | can't | tests |\n")
	if !found {
		t.Fatal("docs/security.md has no table of what somebody can't do")
	}
	known, rows := testsOf(t), 0
	for _, row := range strings.Split(table, "\n")[1:] {
		if !strings.HasPrefix(row, "|") {
			break
		}
		rows++
		names := testName.FindAllStringSubmatch(row, -1)
		if len(names) == 0 {
			t.Errorf("no test is named: %s", row)
		}
		for _, name := range names {
			if !known[name[1]] {
				t.Errorf("there is no %s, which is named here: %s", name[1], row)
			}
		}
	}
	if rows < 20 {
		t.Errorf("the table has %d rows only", rows)
	}
}

// testsOf are the names of all tests of the repository.
func testsOf(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(controlplane.Root(), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		code, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range testFunc.FindAllSubmatch(code, -1) {
			names[string(match[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
