package console

import (
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
