package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// maxCookie is the size limit of browsers, minus the name and the attributes.
const maxCookie = 3900

// session is the content of the login cookie before encryption.
type session struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// cookieName has the prefix __Host-: browsers accept such a cookie over TLS only, for this host and all its paths.
func (s *Server) cookieName() string {
	if s.options.InsecureCookies {
		return "wechatpay-console"
	}
	return "__Host-wechatpay-console"
}

func (s *Server) cookie(value string, expires time.Time) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", Expires: expires,
		HttpOnly: true, Secure: !s.options.InsecureCookies, SameSite: http.SameSiteStrictMode,
	}
}

func (s *Server) session(r *http.Request) (session, bool) {
	var found session
	cookies := r.CookiesNamed(s.cookieName())
	if len(cookies) != 1 {
		return found, false
	}
	plain, err := s.sealer.open(cookies[0].Value)
	if err != nil || json.Unmarshal(plain, &found) != nil {
		return found, false
	}
	return found, isToken(found.Token) && time.Now().Before(found.Expires)
}

// serveSession logs in (POST) and out (DELETE), and returns when a session expires (GET).
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request) *refusal {
	if s.options.Login != LoginToken {
		return notServed
	}
	switch r.Method {
	case http.MethodGet:
		found, ok := s.session(r)
		if !ok {
			return notLoggedIn
		}
		writeJSON(w, http.StatusOK, map[string]time.Time{"expires": found.Expires})
	case http.MethodPost:
		return s.logIn(w, r)
	case http.MethodDelete:
		s.logOut(w)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		return &refusal{http.StatusMethodNotAllowed, "MethodNotAllowed", "GET, POST or DELETE"}
	}
	return nil
}

func (s *Server) logOut(w http.ResponseWriter) {
	gone := s.cookie("", time.Unix(1, 0))
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

// logIn asks the API server whether it accepts the token, and stores the token encrypted in the cookie.
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) *refusal {
	if mediaType(r) != "application/json" { // a form of another site can't send this type
		return &refusal{http.StatusUnsupportedMediaType, reasonUnsupported, "a login is JSON"}
	}
	var given struct {
		Token string `json:"token"`
	}
	if refused := read(w, r, &given); refused != nil {
		return refused
	}
	token := strings.TrimPrefix(strings.TrimSpace(given.Token), "Bearer ")
	if !isToken(token) {
		return badRequest("this is no token: paste what `kubectl create token` prints")
	}
	release := s.slots.take("login", false)
	if release == nil {
		return tooMany
	}
	defer release()
	if refused := s.verify(r.Context(), token); refused != nil {
		return refused
	}
	expires := time.Now().Add(s.options.SessionDuration)
	if end := endOf(token); !end.IsZero() && end.Before(expires) {
		expires = end
	}
	sealed := s.sealer.seal(must(json.Marshal(session{token, expires})))
	if len(sealed) > maxCookie {
		return badRequest("the token is too long for a cookie: use an OIDC proxy in front (--login=proxy)")
	}
	http.SetCookie(w, s.cookie(sealed, expires))
	writeJSON(w, http.StatusOK, map[string]time.Time{"expires": expires})
	return nil
}

// verify asks the API server whose token it is.
func (s *Server) verify(ctx context.Context, token string) *refusal {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.apiServer.String()+"/apis/authentication.k8s.io/v1/selfsubjectreviews", strings.NewReader(whoAmI))
	if err != nil {
		return serverAway
	}
	request.Header = s.header(token, "application/json", "application/json")
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		s.log.Warn("the API server did not answer", "error", err.Error())
		return serverAway
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusCreated, http.StatusOK, http.StatusForbidden: // 403 also means that the token was accepted
		return nil
	case http.StatusUnauthorized:
		return &refusal{http.StatusUnauthorized, notLoggedIn.reason, "the API server does not take this token: it may have expired"}
	case http.StatusTooManyRequests:
		return tooMany
	}
	s.log.Warn("the API server did not verify a token", "status", response.StatusCode)
	return serverAway
}
