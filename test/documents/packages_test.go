package documents

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestDesignNamesEveryPackage: the table of packages in docs/design has every folder with Go code. Those below the
// folders of hack, test and examples are parts of them.
func TestDesignNamesEveryPackage(t *testing.T) {
	design, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "design", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folders := range []string{"controllers", "webhookserver", "api/*", "cmd/*", "internal/*", "internal/*/*", "examples/*", "test/*", "test/framework/*"} {
		files, _ := filepath.Glob(filepath.Join(controlplane.Root(), folders, "*.go"))
		if len(files) == 0 {
			t.Errorf("%s has no Go code", folders)
		}
		for _, file := range files {
			folder, err := filepath.Rel(controlplane.Root(), filepath.Dir(file))
			if err != nil || !strings.Contains(string(design), "`"+filepath.ToSlash(folder)+"`") {
				t.Errorf("docs/design/README.md does not name %s (%s)", folder, filepath.Base(file))
			}
		}
	}
}
