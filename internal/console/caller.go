package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// caller identifies the sender of a request: the token, when it expires, and whether it came in the login cookie.
type caller struct {
	token    string
	expires  time.Time // zero: unknown
	byCookie bool
}

// bearer matches a token as RFC 6750 defines it. Other values are not passed on.
var bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// maxToken is longer than the tokens of any issuer, and shorter than the API server's limit for headers.
const maxToken = 16_000

func isToken(text string) bool { return len(text) <= maxToken && bearer.MatchString(text) }

// identify finds the token of a request. The header has precedence over the cookie: the proxy in front sets it, and
// pages of other sites can't.
func (s *Server) identify(r *http.Request) (caller, *refusal) {
	switch headers := r.Header.Values("Authorization"); {
	case len(headers) > 1:
		return caller{}, ambiguousCaller
	case len(headers) == 1:
		scheme, token, _ := strings.Cut(headers[0], " ")
		if !strings.EqualFold(scheme, "Bearer") || !isToken(token) {
			return caller{}, ambiguousCaller
		}
		end := endOf(token)
		if !end.IsZero() && !time.Now().Before(end) {
			return caller{}, tokenExpired
		}
		return caller{token: token, expires: end}, nil
	case s.options.Login == LoginToken:
		if session, ok := s.session(r); ok {
			return caller{session.Token, session.Expires, true}, nil
		}
	}
	return caller{}, notLoggedIn
}

// endOf reads the expiry of a token. It does not verify the token; the API server does.
func endOf(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expires <= 0 || claims.Expires > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}
