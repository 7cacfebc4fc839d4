package documents

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var flagRow = regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\|")

// ofLibraries are flags in docs/flags.md that others than the operator's own code define.
var ofLibraries = map[string]bool{"kubeconfig": true, "zap-log-level": true, "version": true}

// TestFlagsAreDocumented compares the table of docs/flags.md with the flags that there are.
func TestFlagsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "flags.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range flagRow.FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = true
	}
	options := manager.DefaultOptions()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	options.BindFlags(flags)
	flags.VisitAll(func(f *flag.Flag) {
		if !documented[f.Name] {
			t.Errorf("docs/flags.md has no row for --%s", f.Name)
		}
	})
	for name := range documented {
		if flags.Lookup(name) == nil && !ofLibraries[name] {
			t.Errorf("docs/flags.md has a row for --%s, which is no flag", name)
		}
	}
}
