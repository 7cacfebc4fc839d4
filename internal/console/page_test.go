package console

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestThePage checks which files are served, with which headers, and that no script or style is inline.
func TestThePage(t *testing.T) {
	f := open(t)
	response := f.send("GET", "/", "")
	index := bodyOf(t, response)
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s %v", response.Status, response.Header)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if strings.Contains(policy, "unsafe") || regexp.MustCompile(`<script[^>]*>[^<]|<style|\son[a-z]+=|\sstyle=`).MatchString(index) {
		t.Errorf("something is inline: %s", index)
	}
	squeezed := f.send("GET", "/console.js", "", withHeader("Accept-Encoding", "gzip"))
	reader, err := gzip.NewReader(squeezed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(reader)
	if err != nil || string(unpacked) != bodyOf(t, f.send("GET", "/console.js", "")) {
		t.Errorf("what is squeezed is another file: %v", err)
	}
	again := f.send("GET", "/console.js", "", withHeader("Accept-Encoding", "gzip"), withHeader("If-None-Match", squeezed.Header.Get("ETag")))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("a file that is there already: %s", again.Status)
	}
	for target, code := range map[string]int{"/healthz": 200, "/readyz": 200, "/config.json": 200, "/index.html": 200, "/icon.svg": 200, "/dist/index.html": 404, "/../go.mod": 404, "/%2e%2e/go.mod": 404, "/console": 404} {
		if response := f.send("GET", target, ""); response.StatusCode != code {
			t.Errorf("%s: %s", target, response.Status)
		}
	}
	if response := f.send("POST", "/", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("POST /: %s", response.Status)
	}
}

// maxPageSize is the size limit of the whole page before compression, so that it loads quickly on a phone.
const maxPageSize = 150_000

func TestThePageIsSmall(t *testing.T) {
	total := 0
	err := fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			content, _ := dist.ReadFile(name)
			total += len(content)
		}
		return err
	})
	if err != nil || total > maxPageSize || total < 10_000 {
		t.Errorf("%d bytes, %v", total, err)
	}
}
