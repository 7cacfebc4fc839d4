package console

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheBundleIsBuiltFromTheSource: the embedded files, which nobody reviews, are those that web/ builds.
func TestTheBundleIsBuiltFromTheSource(t *testing.T) {
	web, err := filepath.Abs("../../web")
	if err != nil {
		t.Fatal(err)
	}
	_, noNode := exec.LookPath("node")
	_, notInstalled := os.Stat(filepath.Join(web, "node_modules", "vite"))
	if noNode != nil || notInstalled != nil {
		if os.Getenv("REQUIRE_FRONTENDS") == "1" {
			t.Fatal("Node.js and make console are needed")
		}
		t.Skip("without Node.js and make console nothing can be built to compare")
	}
	built := filepath.Join(t.TempDir(), "dist")
	build := exec.CommandContext(t.Context(), "npx", "--no-install", "vite", "build", "--outDir", built, "--logLevel", "warn")
	build.Dir = web
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for name, content := range filesOf(t, os.DirFS(built)) {
		if embedded, err := dist.ReadFile("dist/" + name); err != nil || string(embedded) != content {
			t.Errorf("dist/%s is not what web/ builds: run make console", name)
		}
	}
	embedded, err := fs.Sub(dist, "dist")
	if err != nil {
		t.Fatal(err)
	}
	if there, want := len(filesOf(t, embedded)), len(filesOf(t, os.DirFS(built))); there != want {
		t.Errorf("dist has %d files, web/ builds %d", there, want)
	}
}

func filesOf(t *testing.T, folder fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestTheLockFileNamesNoRegistry, so that it works with any registry.
func TestTheLockFileNamesNoRegistry(t *testing.T) {
	content, err := os.ReadFile("../../web/package-lock.json")
	if err != nil || strings.Contains(string(content), `"resolved"`) || !strings.Contains(string(content), `"integrity"`) {
		t.Errorf("addresses or no digests in it, or %v", err)
	}
}
