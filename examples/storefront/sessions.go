package main

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// session is who a token stands for. The token is the session itself, sealed: no replica has to remember it, and the payer's
// client sees neither openid nor appid.
type session struct {
	// ID is random and new with each login.
	ID string `json:"id"`
	// AppID and OpenID are absent for a guest in a browser.
	AppID   string    `json:"appid,omitempty"`
	OpenID  string    `json:"openid,omitempty"`
	Expires time.Time `json:"expires"`
}

// purposeSession keeps tickets and tokens apart.
const purposeSession = "session"

// sessions issues tokens and reads them.
type sessions struct {
	*sealer
	lifetime time.Duration
	now      func() time.Time
}

// payer identifies who pays, in the label of the Orders and in their numbers. It does not tell the openid.
func (s session) payer() string {
	if s.OpenID == "" {
		return digest("guest", s.ID)
	}
	return digest("payer", s.AppID, s.OpenID)
}

// token answers a login.
type token struct {
	Code      int    `json:"code"`
	Token     string `json:"token"`
	ExpiresIn int    `json:"expiresIn"`
}

// begin starts a session of a payer, or of a guest.
func (s *sessions) begin(appID, openID string) (token, error) {
	begun := session{ID: rand.Text(), AppID: appID, OpenID: openID, Expires: s.now().Add(s.lifetime)}
	sealed, err := s.seal(purposeSession, begun)
	return token{Token: sealed, ExpiresIn: int(s.lifetime.Seconds())}, err
}

// of reads the session of a request.
func (s *sessions) of(r *http.Request) (session, error) {
	var found session
	sealed, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !isBearer:
		return found, refusal{codeLogInAgain, "the header Authorization: Bearer <token> is missing; POST /login gives a token"}
	case s.open(purposeSession, sealed, &found) != nil:
		return found, refusal{codeLogInAgain, "this token was not issued by this shop"}
	case !s.now().Before(found.Expires):
		return found, refusal{codeLogInAgain, "this session has expired"}
	}
	return found, nil
}
