package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// requestTimeout limits a request to the API server that is not a watch.
	requestTimeout = 30 * time.Second
	// watchGrace is how much longer than requested a watch may take.
	watchGrace = 15 * time.Second
	// table is the format in which the page lists Orders: the columns of kubectl get.
	table = "application/json;as=Table;v=v1;g=meta.k8s.io"
)

// answered are the response headers that are passed on to the browser.
var answered = []string{"Content-Type", "Content-Encoding", "Retry-After", "Audit-Id"}

// outgoing has the parts of a request to the API server.
type outgoing struct {
	url    *url.URL
	header http.Header
	body   []byte
}

type outgoingKey struct{}

// header returns all headers of a request to the API server.
func (s *Server) header(token, accept, contentType string) http.Header {
	header := http.Header{
		"Authorization": {"Bearer " + token}, "Accept": {accept}, "User-Agent": {"wechatpay-console/" + s.options.Version},
	}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return header
}

// serveAPI passes a request on.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) *refusal {
	asked, refused := admit(r)
	if refused != nil {
		return refused
	}
	who, refused := s.identify(r)
	if refused != nil {
		return refused
	}
	body, refused := asked.body(w, r)
	if refused != nil {
		return refused
	}
	release := s.slots.take(who.token, asked.verb == verbWatch)
	if release == nil {
		return tooMany
	}
	defer release()

	deadline := time.Now().Add(requestTimeout)
	if asked.verb == verbWatch {
		deadline = time.Now().Add(s.bound(asked.query) + watchGrace)
	}
	if !who.expires.IsZero() && who.expires.Before(deadline) {
		deadline = who.expires // the API server checks the token only when a watch starts
	}
	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()
	// A browser that stops reading must not keep its slot for longer.
	_ = http.NewResponseController(w).SetWriteDeadline(deadline.Add(watchGrace))
	defer func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) }()

	out := &outgoing{url: &url.URL{Scheme: s.apiServer.Scheme, Host: s.apiServer.Host, Path: asked.path(), RawQuery: asked.query.Encode()}, body: body}
	out.header = s.header(who.token, accepted(r, asked.verb), contentType(asked.verb))
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		out.header.Set("Accept-Encoding", "gzip")
	}
	answer := &answerWriter{ResponseWriter: w, before: func(code int) {
		if who.byCookie && code == http.StatusUnauthorized {
			s.logOut(w) // the API server does not accept the token any more
		}
	}}
	if asked.verb == verbPatch {
		defer func() {
			s.log.Info("a decision was passed on", "namespace", asked.namespace, "refund", asked.name, "answer", answer.code)
		}()
	}
	s.proxy.ServeHTTP(answer, r.WithContext(context.WithValue(ctx, outgoingKey{}, out)))
	return nil
}

// bound limits the duration of a watch, and returns it.
func (s *Server) bound(query url.Values) time.Duration {
	most := int(s.options.WatchDuration / time.Second)
	if seconds, err := strconv.Atoi(query.Get("timeoutSeconds")); err == nil && seconds > 0 && seconds < most {
		most = seconds
	}
	query.Set("timeoutSeconds", strconv.Itoa(most))
	return time.Duration(most) * time.Second
}

// accepted permits the table format for lists and watches.
func accepted(r *http.Request, verb string) string {
	wanted := strings.ReplaceAll(r.Header.Get("Accept"), " ", "")
	if (verb == verbList || verb == verbWatch) && strings.HasPrefix(wanted, table) {
		return table
	}
	return "application/json"
}

func contentType(verb string) string {
	switch verb {
	case verbPatch:
		return "application/merge-patch+json"
	case verbCreate:
		return "application/json"
	}
	return ""
}

func (s *Server) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:     s.transport,
		FlushInterval: -1, // flush each event of a watch at once
		Rewrite: func(p *httputil.ProxyRequest) {
			out, _ := p.In.Context().Value(outgoingKey{}).(*outgoing)
			p.Out.URL, p.Out.Host, p.Out.Header = out.url, out.url.Host, out.header
			p.Out.Body, p.Out.ContentLength, p.Out.TransferEncoding = http.NoBody, int64(len(out.body)), nil
			p.Out.Trailer, p.Out.Close = nil, false
			if len(out.body) > 0 {
				p.Out.Body = io.NopCloser(bytes.NewReader(out.body))
			}
		},
		ModifyResponse: func(response *http.Response) error {
			if response.StatusCode < http.StatusOK || response.StatusCode/100 == 3 {
				return errUnexpected
			}
			header := http.Header{"Cache-Control": {"no-store"}}
			for _, name := range answered {
				if values := response.Header.Values(name); len(values) > 0 {
					header[name] = values
				}
			}
			response.Header, response.Trailer = header, nil
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				s.log.Warn("the API server did not answer", "error", err.Error())
			}
			serverAway.write(w)
		},
		ErrorLog: log.New(io.Discard, "", 0), // browsers often disconnect during a watch
	}
}

var errUnexpected = errors.New("the API server answered with a redirect or another protocol")

// answerWriter records the status code of a response, and calls a function before the headers are written.
type answerWriter struct {
	http.ResponseWriter
	before func(code int)
	code   int
}

func (a *answerWriter) WriteHeader(code int) {
	a.code = code
	a.before(code)
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController flush.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
