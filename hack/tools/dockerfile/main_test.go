package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const good = "FROM golang:1.26 AS build\nCOPY go.mod ./\nFROM scratch\nCOPY --from=build /manager /manager\nUSER 65532:65532\nENTRYPOINT [\"/manager\"]\n"
	for name, test := range map[string]struct{ old, new, complaint string }{
		"nothing wrong":    {"", "", ""},
		"a missing file":   {"go.mod", "go.mud", "go.mud is copied and does not exist"},
		"a base with more": {"FROM scratch", "FROM alpine", "not from scratch"},
		"root":             {"65532:65532", "0", `runs as "0"`},
		"a user by name":   {"65532:65532", "nobody", `runs as "nobody"`},
		"no user":          {"USER 65532:65532\n", "", `runs as ""`},
		"docker's rules":   {"AS build", "as build", "FromAsCasing"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "Dockerfile")
			for file, content := range map[string]string{path: strings.Replace(good, test.old, test.new, 1), filepath.Join(folder, "go.mod"): "module x\n"} {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			complaints, err := check(folder, "Dockerfile")
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(complaints, "\n")
			if test.complaint == "" && all != "" || !strings.Contains(all, test.complaint) {
				t.Errorf("complaints: %s", all)
			}
		})
	}
}
