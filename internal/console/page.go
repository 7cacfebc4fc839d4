package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// dist is what `make console` builds from web/. It is in the repository, so that Go builds without Node.js.
//
//go:embed dist
var dist embed.FS

// policy permits the page only scripts, styles and connections of its own server, and forbids turning text into
// scripts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// asset is a file of the page.
type asset struct {
	kind, tag       string
	plain, squeezed []byte
}

func readPage() (map[string]*asset, error) {
	assets := map[string]*asset{}
	err := fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		var squeezed bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&squeezed, gzip.BestCompression) // the level exists
		_, _ = writer.Write(content)                                      // into memory
		_ = writer.Close()
		digest := sha256.Sum256(content)
		assets[strings.TrimPrefix(name, "dist")] = &asset{
			kind: mime.TypeByExtension(path.Ext(name)), plain: content, squeezed: squeezed.Bytes(),
			tag: `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`,
		}
		return nil
	})
	if index := assets["/index.html"]; index != nil {
		assets["/"] = index
	}
	return assets, err
}

// servePage serves a file. Browsers cache it and revalidate it each time.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) *refusal {
	file := s.page[r.URL.Path]
	if file == nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return notServed
	}
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", file.kind)
	header.Set("ETag", file.tag)
	header.Set("Vary", "Accept-Encoding")
	content := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		header.Set("ETag", strings.TrimSuffix(file.tag, `"`)+`-gzip"`)
		content = file.squeezed
	}
	if r.Header.Get("If-None-Match") == header.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
	} else if r.Method == http.MethodGet {
		_, _ = w.Write(content)
	}
	return nil
}

// settings are what the page needs to know. If another server serves the page, a file in dist is used instead.
type settings struct {
	Login        string   `json:"login"`
	SignOut      string   `json:"signOut,omitempty"`
	Namespaces   []string `json:"namespaces"`
	WatchSeconds int      `json:"watchSeconds"`
	Version      string   `json:"version"`
}

func (s *Server) serveSettings(w http.ResponseWriter, r *http.Request) *refusal {
	if r.Method != http.MethodGet {
		return notServed
	}
	o := s.options
	namespaces := append([]string{}, o.Namespaces...) // never null in JSON
	writeJSON(w, http.StatusOK, settings{o.Login, o.SignOutURL, namespaces, int(o.WatchDuration.Seconds()), o.Version})
	return nil
}
