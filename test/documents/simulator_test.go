package documents

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestSimulatorIsDocumented: cmd/simulator/README.md names every flag, admin request, fault and violation that there is.
func TestSimulatorIsDocumented(t *testing.T) {
	root := controlplane.Root()
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	document := read("cmd", "simulator", "README.md")
	for _, source := range []struct {
		path    []string
		pattern string
		prefix  string
		fewest  int
	}{
		{[]string{"cmd", "simulator", "main.go"}, `flags\.(?:\w+Var|Func|String)\((?:&[\w.]+, )?"([a-z0-9-]+)"`, "--", 25},
		{[]string{"internal", "wechatpay", "simulator", "admin.go"}, `mux\.HandleFunc\("([A-Z]+ /[^"]+)"`, "", 15},
		{[]string{"internal", "wechatpay", "simulator", "adminv3.go"}, `mux\.HandleFunc\("([A-Z]+ /[^"]+)"`, "", 10},
		{[]string{"internal", "wechatpay", "simulator", "faulttypes.go"}, `FaultKind = "([a-z0-9-]+)"`, "", 34},
		{[]string{"internal", "weixin", "simulator", "admin.go"}, `mux\.HandleFunc\("([A-Z]+ /[^"]+)"`, "", 14},
		{[]string{"internal", "weixin", "simulator", "routes.go"}, `Operation = "([a-z0-9_]+)"`, "", 7},
		{[]string{"internal", "weixin", "simulator", "faults.go"}, `FaultKind = "([a-z0-9-]+)"`, "", 9},
		{[]string{"internal", "weixin", "simulator", "journal.go"}, `ViolationKind = "([a-z0-9-]+)"`, "", 2},
		{[]string{"internal", "wechatpay", "simulator", "ledger.go"}, `ViolationKind = "([a-z0-9-]+)"`, "", 10},
	} {
		found := regexp.MustCompile(source.pattern).FindAllStringSubmatch(read(source.path...), -1)
		if len(found) < source.fewest {
			t.Errorf("only %d of at least %d found in %v", len(found), source.fewest, source.path)
		}
		for _, match := range found {
			if name := source.prefix + match[1]; !strings.Contains(document, "`"+name) {
				t.Errorf("cmd/simulator/README.md does not name `%s` of %v", name, source.path)
			}
		}
	}
}
