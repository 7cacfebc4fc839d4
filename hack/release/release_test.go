package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// standIn takes the place of a compiler.
func standIn(_ context.Context, p platform, version string) ([]byte, error) {
	return []byte(p.OS + "/" + p.Arch + " " + version), nil
}

// manifest is the part of krew's that has to fit the archives.
type manifest struct {
	APIVersion, Kind string
	Metadata         struct{ Name string }
	Spec             struct {
		Version, ShortDescription string
		Platforms                 []struct {
			Selector         struct{ MatchLabels map[string]string }
			URI, SHA256, Bin string
		}
	}
}

func made(t *testing.T) (string, manifest) {
	t.Helper()
	t.Chdir("../..")
	out := filepath.Join(t.TempDir(), "dist")
	if err := release(t.Context(), options{version: "v1.2.3", out: out, url: "https://example.com/releases/"},
		standIn); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(out, "krew.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(content, &m); err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	return out, m
}

// TestManifestFitsTheArchives: each platform's file is there, has that checksum, and holds that binary.
func TestManifestFitsTheArchives(t *testing.T) {
	out, m := made(t)
	if m.Kind != "Plugin" || m.Metadata.Name != "wechatpay" || m.Spec.Version != "v1.2.3" || len(m.Spec.ShortDescription) > 50 ||
		len(m.Spec.Platforms) != 6 {
		t.Errorf("%+v", m)
	}
	listed, err := os.ReadFile(filepath.Join(out, "kubectl-wechatpay_checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Spec.Platforms {
		file, found := strings.CutPrefix(p.URI, "https://example.com/releases/v1.2.3/")
		content, err := os.ReadFile(filepath.Join(out, file))
		if err != nil || !found {
			t.Fatalf("%s: %v", p.URI, err)
		}
		sum := sha256.Sum256(content)
		if hex.EncodeToString(sum[:]) != p.SHA256 || !strings.Contains(string(listed), p.SHA256+"  "+file+"\n") {
			t.Errorf("%s has another checksum", file)
		}
		os, arch := p.Selector.MatchLabels["os"], p.Selector.MatchLabels["arch"]
		files := unpack(t, file, content)
		if got := files[p.Bin]; got != os+"/"+arch+" v1.2.3" {
			t.Errorf("%s holds %q as %s", file, got, p.Bin)
		}
		want := []string{"LICENSE", p.Bin}
		if os != "windows" {
			want = append(want, "kubectl_complete-wechatpay")
		}
		for _, name := range want {
			if files[name] == "" {
				t.Errorf("%s lacks %s", file, name)
			}
		}
	}
}

func unpack(t *testing.T, name string, content []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	if strings.HasSuffix(name, ".zip") {
		reader, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range reader.File {
			opened, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(opened)
			if err != nil {
				t.Fatal(err)
			}
			files[f.Name] = string(text)
		}
		return files
	}
	compressed, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	reader := tar.NewReader(compressed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
		if executable := header.Mode&0o111 != 0; executable != (header.Name != "LICENSE") {
			t.Errorf("%s in %s has the mode %o", header.Name, name, header.Mode)
		}
	}
}

// TestSameContentSameArchives: who builds the same again gets the same checksums.
func TestSameContentSameArchives(t *testing.T) {
	_, one := made(t)
	t.Chdir("hack/release")
	_, other := made(t)
	if !slices.EqualFunc(one.Spec.Platforms, other.Spec.Platforms, func(a, b struct {
		Selector         struct{ MatchLabels map[string]string }
		URI, SHA256, Bin string
	}) bool {
		return a.SHA256 == b.SHA256
	}) {
		t.Error("two runs made other archives")
	}
}

func TestVersionsThatKrewDoesNotTake(t *testing.T) {
	for _, version := range []string{"", "dev", "1.2.3", "v1.2", "v1.2.3\nx", "7ed04eb-dirty"} {
		if err := release(t.Context(), options{version: version, out: t.TempDir()}, standIn); err == nil {
			t.Errorf("%q was taken", version)
		}
	}
}
