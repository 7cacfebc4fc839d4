package frontends

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// required is set where a missing tool is a failure, as in .ci/run.
const required = "REQUIRE_FRONTENDS"

var examples = []string{"miniprogram", "taro", "h5"}

func folderOf(example string) string { return filepath.Join(controlplane.Root(), "examples", example) }

// chromium returns the browser, or "".
func chromium() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// missing says what the tests need and this machine has not, or "".
func missing() string {
	if _, err := exec.LookPath("npm"); err != nil {
		return "Node.js with npm is not installed"
	}
	if chromium() == "" {
		return "Chromium is not installed, and CHROMIUM names none"
	}
	for _, example := range examples {
		for _, folder := range []string{"node_modules", "dist"} {
			if _, err := os.Stat(filepath.Join(folderOf(example), folder)); err != nil {
				return fmt.Sprintf("examples/%s has no %s: make frontends", example, folder)
			}
		}
	}
	return ""
}
