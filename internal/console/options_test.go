package console

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestOptionsAreValidated(t *testing.T) {
	for complaint, change := range map[string]func(*Options){
		"":                                  func(*Options) {},
		"it has to be https":                func(o *Options) { o.APIServer = "http://kubernetes.default.svc" },
		"is not an address":                 func(o *Options) { o.APIServer = "" },
		"is not an address like":            func(o *Options) { o.APIServer = "https://kubernetes/api" },
		"--login is":                        func(o *Options) { o.Login = "basic" },
		"with a proxy there are no cookies": func(o *Options) { o.Login, o.SessionKeyFile = LoginProxy, "keys" },
		"neither a path nor an https URL":   func(o *Options) { o.SignOutURL = "javascript:alert(1)" },
		"neither a path nor an https":       func(o *Options) { o.SignOutURL = "//evil.example.com" },
		"go together":                       func(o *Options) { o.TLSCertFile = "tls.crt" },
		"at least 1m":                       func(o *Options) { o.SessionDuration = time.Second },
		"is no name of a namespace":         func(o *Options) { o.Namespaces = []string{"shop", "Shop"} },
		"is no name of a namespace: ":       func(o *Options) { o.Namespaces = []string{""} },
		"--watch-duration 1s to 1h":         func(o *Options) { o.WatchDuration = 0 },
	} {
		options := DefaultOptions()
		options.APIServer = "https://kubernetes.default.svc"
		change(&options)
		err := options.Validate()
		if (err == nil) != (complaint == "") || err != nil && !strings.Contains(err.Error(), complaint) {
			t.Errorf("%v, want %q", err, complaint)
		}
	}
}

// TestFlagsAreDocumented compares the tables of the documents with the flags.
func TestFlagsAreDocumented(t *testing.T) {
	options, flags := DefaultOptions(), flag.NewFlagSet("console", flag.ContinueOnError)
	options.BindFlags(flags)
	for _, document := range []string{"../../docs/console.md", "../../docs/zh-CN/console.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		documented := map[string]bool{"version": true}
		for _, row := range regexp.MustCompile("(?m)^\\| (`--[^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
			for _, name := range regexp.MustCompile("`--([a-z-]+)`").FindAllStringSubmatch(row[1], -1) {
				documented[name[1]] = true
				if flags.Lookup(name[1]) == nil && name[1] != "version" {
					t.Errorf("%s has --%s, which is no flag", document, name[1])
				}
			}
		}
		flags.VisitAll(func(f *flag.Flag) {
			if !documented[f.Name] {
				t.Errorf("%s has no row for --%s", document, f.Name)
			}
		})
	}
}
