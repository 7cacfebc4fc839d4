package main

import (
	"embed"
	"io/fs"
	"net/http"
	"os"
)

// builtIn is a page that shows the catalogue, and sells by QR code.
//
//go:embed page
var builtIn embed.FS

// pages serves the folder of --static, or the built-in page.
func (s *storefront) pages() http.Handler {
	if s.settings.static != "" {
		return http.FileServerFS(os.DirFS(s.settings.static))
	}
	folder, err := fs.Sub(builtIn, "page")
	if err != nil {
		panic(err) // the name of a folder that is embedded
	}
	return http.FileServerFS(folder)
}
