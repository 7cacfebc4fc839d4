package simulator

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"
)

// loginCode is a code that wx.login, or the redirect of OAuth2, gave to a page.
type loginCode struct {
	appID, openID string
	issued        time.Time
	used          bool
}

// Login plays wx.login in a mini program, or a user's consent in an official account: it returns the
// code that the page hands to the shop. It is valid for five minutes and for one use.
func (s *Simulator) Login(appID, openID string) (code string, err error) {
	if !openIDFormat.MatchString(openID) {
		return "", fmt.Errorf("%w: openid %q", ErrInvalid, openID)
	}
	err = s.change(appID, func(a *app) {
		a.user(openID)
		code = "0" + random(31)
		s.codes[code] = &loginCode{appID: appID, openID: openID, issued: s.now()}
	})
	return code, err
}

// SetUnionID gives a user a unionid, which logins then return.
func (s *Simulator) SetUnionID(appID, openID, unionID string) error {
	return s.change(appID, func(a *app) { a.user(openID).unionID = unionID })
}

// session is the answer of jscode2session.
type session struct {
	SessionKey string `json:"session_key"`
	OpenID     string `json:"openid"`
	UnionID    string `json:"unionid,omitempty"`
}

// grant is the answer of /sns/oauth2/access_token.
type grant struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	OpenID       string `json:"openid"`
	Scope        string `json:"scope"`
	UnionID      string `json:"unionid,omitempty"`
}

// codeToSession is GET /sns/jscode2session.
func (s *Simulator) codeToSession(query url.Values, noted *Call) (any, error) {
	openID, unionID, err := s.redeem(query, "js_code", false, noted)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	return session{SessionKey: base64.StdEncoding.EncodeToString(key), OpenID: openID, UnionID: unionID}, nil
}

// codeToGrant is GET /sns/oauth2/access_token.
func (s *Simulator) codeToGrant(query url.Values, noted *Call) (any, error) {
	openID, unionID, err := s.redeem(query, "code", true, noted)
	if err != nil {
		return nil, err
	}
	return grant{
		AccessToken: random(107), ExpiresIn: int(2 * time.Hour / time.Second), RefreshToken: random(107), OpenID: openID, Scope: "snsapi_base", UnionID: unionID,
	}, nil
}

// redeem takes a code, once.
func (s *Simulator) redeem(query url.Values, parameter string, officialAccount bool, noted *Call) (openID, unionID string, err error) {
	noted.AppID = query.Get("appid")
	known, err := s.authenticate(query.Get("appid"), query.Get("secret"))
	if err != nil {
		return "", "", err
	}
	text := query.Get(parameter)
	code := s.codes[text]
	switch {
	case query.Get("grant_type") != "authorization_code":
		return "", "", refuse(CodeInvalidGrantType, "invalid grant_type")
	case known.OfficialAccount != officialAccount:
		return "", "", refuse(CodeNotAuthorized, "api unauthorized")
	case text == "":
		return "", "", refuse(CodeMissingCode, "missing code")
	case code == nil || code.appID != known.AppID:
		return "", "", refuse(CodeInvalidCode, "invalid code")
	case code.used:
		return "", "", refuse(CodeUsedCode, "code been used")
	case s.rules.CodeLife > 0 && s.now().Sub(code.issued) >= s.rules.CodeLife:
		return "", "", refuse(CodeInvalidCode, "invalid code")
	}
	noted.OpenID = code.openID
	payer := known.user(code.openID)
	payer.logins = within(payer.logins, s.now(), s.rules.minute)
	switch {
	case payer.highRisk:
		return "", "", refuse(CodeHighRisk, "code blocked")
	case len(payer.logins) >= s.rules.LoginsPerMinute:
		return "", "", refuse(CodeTooFast, "api minute-quota reach limit, must slower, retry next minute")
	}
	payer.logins = append(payer.logins, s.now())
	code.used = true
	return code.openID, payer.unionID, nil
}
