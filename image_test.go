package main

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBinaryNeedsNothingElse: the image is made from scratch, so its binaries have to be static, and to run without root
// where there is nothing else.
func TestBinaryNeedsNothingElse(t *testing.T) {
	for name, folder := range map[string]string{"manager": ".", "console": "./cmd/console"} {
		t.Run(name, func(t *testing.T) { needsNothingElse(t, name, folder) })
	}
}

func needsNothingElse(t *testing.T, name, folder string) {
	root := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=v1.2.3-test", "-o", filepath.Join(root, name), folder)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	binary, err := elf.Open(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = binary.Close() }()
	for _, part := range binary.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("the binary is linked dynamically")
		}
	}
	for above := root; above != "/"; above = filepath.Dir(above) {
		if info, err := os.Stat(above); err == nil && info.Mode().Perm()&0o011 == 0 && os.Geteuid() == 0 {
			if err := os.Chmod(above, 0o711); err != nil { //nolint:gosec // another user has to get in
				t.Fatal(err)
			}
		}
	}
	run := exec.CommandContext(t.Context(), "/"+name, "--version")
	run.Env, run.Dir = []string{}, "/"
	run.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	output, err := run.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("only root can change the root file system")
	case err != nil:
		t.Fatalf("%v: %s", err, output)
	case !strings.Contains(string(output), "v1.2.3-test"):
		t.Errorf("it says of itself: %s", output)
	}
}
