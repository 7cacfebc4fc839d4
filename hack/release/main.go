// Command release builds kubectl-wechatpay for the usual platforms, packs each into an archive with its license, and
// writes their checksums and the manifest of krew beside them. The same commit and the same Go make the same archives.
//
//	go run ./hack/release -version v1.2.3 -out dist
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"
)

const (
	name       = "kubectl-wechatpay"
	folder     = "cmd/kubectl-wechatpay"
	completion = "kubectl_complete-wechatpay"
)

// platforms are those that krew's users have.
var platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"},
	{"windows", "arm64"}}

// packed is the time of everything in an archive, so that archives of the same content are the same.
var packed = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// version is what krew takes: semantic, with its v.
var version = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

type platform struct{ OS, Arch string }

func (p platform) binary() string {
	if p.OS == "windows" {
		return name + ".exe"
	}
	return name
}

// entry is a file in an archive.
type entry struct {
	name       string
	content    []byte
	executable bool
}

// archive is one that was written.
type archive struct {
	platform
	File, SHA256, Binary string
}

type options struct{ version, out, url string }

func main() {
	var o options
	flag.StringVar(&o.version, "version", "", "version of the release, such as v1.2.3")
	flag.StringVar(&o.out, "out", "dist", "folder to write to")
	flag.StringVar(&o.url, "url", "https://github.com/wechatpay-operator/wechatpay-operator/releases/download",
		"where archives can be downloaded from, before /<version>/<file>")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := release(ctx, o, build)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// builder makes the binary of a platform.
type builder func(ctx context.Context, p platform, version string) ([]byte, error)

func release(ctx context.Context, o options, build builder) error {
	if !version.MatchString(o.version) {
		return fmt.Errorf("krew takes versions such as v1.2.3, and not %q: set VERSION, or call this on a tagged commit",
			o.version)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	var archives []archive
	for _, p := range platforms {
		made, err := makeArchive(ctx, o, p, build)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", p.OS, p.Arch, err)
		}
		fmt.Printf("%s  %s\n", made.SHA256, made.File)
		archives = append(archives, made)
	}
	if err := os.WriteFile(filepath.Join(o.out, name+"_checksums.txt"), checksums(archives), 0o644); err != nil {
		return err
	}
	manifest, err := krew(o, archives)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "krew.yaml"), manifest, 0o644)
}

func makeArchive(ctx context.Context, o options, p platform, build builder) (archive, error) {
	binary, err := build(ctx, p, o.version)
	if err != nil {
		return archive{}, err
	}
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return archive{}, err
	}
	script, err := os.ReadFile(filepath.Join(folder, completion))
	if err != nil {
		return archive{}, err
	}
	entries := []entry{{p.binary(), binary, true}, {"LICENSE", license, false}, {completion, script, true}}
	pack, extension := tarball, ".tar.gz"
	if p.OS == "windows" {
		entries, pack, extension = entries[:2], zipped, ".zip"
	}
	content, err := pack(entries)
	if err != nil {
		return archive{}, err
	}
	sum := sha256.Sum256(content)
	made := archive{p, fmt.Sprintf("%s_%s_%s_%s%s", name, o.version, p.OS, p.Arch, extension), hex.EncodeToString(sum[:]),
		p.binary()}
	return made, os.WriteFile(filepath.Join(o.out, made.File), content, 0o644)
}

// build makes a binary without paths of this machine in it.
func build(ctx context.Context, p platform, version string) ([]byte, error) {
	temporary, err := os.MkdirTemp("", name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	file := filepath.Join(temporary, p.binary())
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags",
		"-s -w -X main.version="+version, "-o", file, "./"+folder)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

func tarball(entries []entry) ([]byte, error) {
	var content bytes.Buffer
	compressed := gzip.NewWriter(&content)
	writer := tar.NewWriter(compressed)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: mode(e), Size: int64(len(e.content)), ModTime: packed, Format: tar.FormatUSTAR}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return closed(&content, compressed)
}

func zipped(entries []entry) ([]byte, error) {
	var content bytes.Buffer
	writer := zip.NewWriter(&content)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: packed}
		header.SetMode(os.FileMode(mode(e)))
		file, err := writer.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(e.content); err != nil {
			return nil, err
		}
	}
	return closed(&content, writer)
}

func mode(e entry) int64 {
	if e.executable {
		return 0o755
	}
	return 0o644
}

func closed(content *bytes.Buffer, writer io.Closer) ([]byte, error) {
	err := writer.Close()
	return content.Bytes(), err
}

// checksums is what sha256sum --check reads.
func checksums(archives []archive) []byte {
	var lines strings.Builder
	for _, a := range archives {
		fmt.Fprintf(&lines, "%s  %s\n", a.SHA256, a.File)
	}
	return []byte(lines.String())
}

// krew fills in the manifest.
func krew(o options, archives []archive) ([]byte, error) {
	parsed, err := template.ParseFiles(filepath.Join(folder, "krew.yaml.tmpl"))
	if err != nil {
		return nil, err
	}
	var manifest bytes.Buffer
	err = parsed.Execute(&manifest, map[string]any{"Version": o.version, "URL": strings.TrimSuffix(o.url, "/") + "/" + o.version,
		"Archives": archives})
	return manifest.Bytes(), err
}
