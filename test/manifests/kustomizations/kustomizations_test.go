package kustomizations_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestEveryFileIsPartOfItsKustomization: a file that its kustomization.yaml does not name is never installed.
func TestEveryFileIsPartOfItsKustomization(t *testing.T) {
	found := 0
	err := filepath.WalkDir(filepath.Join(controlplane.Root(), "config"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		found++
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.yaml"))
		for _, file := range files {
			if name := filepath.Base(file); name != "kustomization.yaml" && !strings.HasSuffix(name, "-example.yaml") && !strings.Contains(string(content), " "+name+"\n") {
				t.Errorf("%s does not have %s", path, name)
			}
		}
		return err
	})
	if err != nil || found < 10 {
		t.Fatalf("%d kustomizations, %v", found, err)
	}
}
