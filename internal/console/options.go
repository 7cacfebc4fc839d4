package console

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// The ways of logging in.
const (
	// LoginToken: the page asks for a token, as `kubectl create token` prints it. The header Authorization is accepted
	// as well.
	LoginToken = "token"
	// LoginProxy: an OIDC proxy in front sets the header Authorization. Only this header is accepted.
	LoginProxy = "proxy"
)

// Options holds the flags, and settings for tests.
type Options struct {
	BindAddress     string
	APIServer       string
	APIServerCAFile string
	Login           string
	SessionKeyFile  string
	SessionDuration time.Duration
	InsecureCookies bool
	SignOutURL      string
	TLSCertFile     string
	TLSKeyFile      string
	WatchDuration   time.Duration
	// Namespaces are proposed by the page. The API server decides which of them a user may see.
	Namespaces []string

	// Limits bound the concurrent requests of one caller and of all callers.
	Limits Limits
	// Version is shown on the page and sent as User-Agent.
	Version string
}

// DefaultOptions returns the defaults of the flags.
func DefaultOptions() Options {
	return Options{
		BindAddress:     ":8080",
		APIServer:       inCluster(),
		APIServerCAFile: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
		Login:           LoginToken,
		SessionDuration: 8 * time.Hour,
		WatchDuration:   4 * time.Minute,
		Limits:          Limits{WatchesPerCaller: 12, RequestsPerCaller: 24, Watches: 1000, Requests: 400},
		Version:         "dev",
	}
}

// inCluster returns the API server's address in the environment of every pod.
func inCluster() string {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return ""
	}
	return "https://" + net.JoinHostPort(host, port)
}

// BindFlags adds the flags.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.BindAddress, "bind-address", o.BindAddress, "Address that the page is served on, with /healthz and /readyz beside it.")
	flags.StringVar(&o.APIServer, "api-server", o.APIServer, "Address of the API server, such as https://kubernetes.default.svc. Default: the one that pods are told.")
	flags.StringVar(&o.APIServerCAFile, "api-server-ca-file", o.APIServerCAFile, "File with the certificate authorities of the API server, in PEM. The ConfigMap kube-root-ca.crt of every namespace has it.")
	flags.StringVar(&o.Login, "login", o.Login,
		"How people log in. token: the page asks for a token, which is kept encrypted in a cookie. proxy: an OIDC proxy in front sets the header Authorization, and there are no cookies.")
	flags.StringVar(&o.SessionKeyFile, "session-key-file", o.SessionKeyFile,
		"File with the keys of the login cookie, one a line: 32 random bytes in Base64. The first one encrypts, all decrypt. Several replicas need the same file. Default: a random key, so that a restart ends every session.")
	flags.DurationVar(&o.SessionDuration, "session-duration", o.SessionDuration, "How long a login lasts at most. It ends earlier if the token does.")
	flags.BoolVar(&o.InsecureCookies, "insecure-cookies", o.InsecureCookies, "Let browsers send the login cookie without TLS. For http://127.0.0.1 only.")
	flags.StringVar(&o.SignOutURL, "sign-out-url", o.SignOutURL, "Where the page sends those who log out, with --login=proxy: /oauth2/sign_out of oauth2-proxy.")
	flags.Func("namespaces", "Comma-separated namespaces that the page proposes. It gives no right to them, and others can be typed.", func(list string) error {
		o.Namespaces = strings.Split(list, ",")
		return nil
	})
	flags.StringVar(&o.TLSCertFile, "tls-cert-file", o.TLSCertFile, "Certificate chain to serve HTTPS with, in PEM. Default: plain HTTP, for behind a gateway that terminates TLS.")
	flags.StringVar(&o.TLSKeyFile, "tls-key-file", o.TLSKeyFile, "The certificate's private key.")
	flags.DurationVar(&o.WatchDuration, "watch-duration", o.WatchDuration, "How long a watch lasts before the page starts it anew. The API server checks rights when a watch starts, so this is how long somebody still sees changes after the right was taken away.")
}

// Validate refuses options that are invalid or not safe.
func (o *Options) Validate() error {
	server, err := url.Parse(o.APIServer)
	if err != nil || server.Scheme != "https" || server.Host == "" || (server.Path != "" && server.Path != "/") || server.RawQuery != "" || server.User != nil {
		return fmt.Errorf("--api-server %q is not an address like https://kubernetes.default.svc: tokens are sent there, so it has to be https", o.APIServer)
	}
	switch {
	case o.Login != LoginToken && o.Login != LoginProxy:
		return fmt.Errorf("--login is %s or %s, not %q", LoginToken, LoginProxy, o.Login)
	case o.Login == LoginProxy && (o.SessionKeyFile != "" || o.InsecureCookies):
		return errors.New("--session-key-file and --insecure-cookies are for --login=token: with a proxy there are no cookies")
	case o.SignOutURL != "" && !strings.HasPrefix(o.SignOutURL, "https://") && (!strings.HasPrefix(o.SignOutURL, "/") || strings.HasPrefix(o.SignOutURL, "//")):
		return fmt.Errorf("--sign-out-url %q is neither a path nor an https URL", o.SignOutURL)
	case (o.TLSCertFile == "") != (o.TLSKeyFile == ""):
		return errors.New("--tls-cert-file and --tls-key-file go together")
	case o.SessionDuration < time.Minute || o.WatchDuration < time.Second || o.WatchDuration > time.Hour:
		return errors.New("--session-duration is at least 1m, --watch-duration 1s to 1h")
	}
	for _, namespace := range o.Namespaces {
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			return fmt.Errorf("--namespaces: %q is no name of a namespace: %s", namespace, strings.Join(problems, "; "))
		}
	}
	return nil
}
