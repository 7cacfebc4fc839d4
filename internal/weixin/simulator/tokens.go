package simulator

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"time"
)

// accessToken is one that stable_token issued.
type accessToken struct {
	text    string
	appID   string
	expires time.Time
	revoked bool
}

// tokenRequest is the body of stable_token.
type tokenRequest struct {
	GrantType    *string `json:"grant_type"`
	AppID        *string `json:"appid"`
	Secret       *string `json:"secret"`
	ForceRefresh *bool   `json:"force_refresh"`
}

// tokenReply is the answer of stable_token.
type tokenReply struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// stableToken is POST /cgi-bin/stable_token.
func (s *Simulator) stableToken(r *http.Request, body []byte, noted *Call) (any, error) {
	var request tokenRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	noted.AppID = text(request.AppID)
	if text(request.GrantType) != "client_credential" {
		return nil, refuse(CodeInvalidGrantType, "invalid grant_type")
	}
	known, err := s.authenticate(text(request.AppID), text(request.Secret))
	if err != nil {
		return nil, err
	}
	if address, _, _ := net.SplitHostPort(r.RemoteAddr); known.AllowedAddresses != nil && !slices.Contains(known.AllowedAddresses, address) {
		return nil, refuse(CodeAddressNotAllowed, "invalid ip %s ipv6 ::ffff:%s, not in whitelist", address, address)
	}
	force := request.ForceRefresh != nil && *request.ForceRefresh
	if err := s.countTokenCall(known, force); err != nil {
		return nil, err
	}
	now := s.now()
	latest := known.token
	switch {
	case force && latest != nil:
		latest.revoked = true // at once
		latest = nil
	case latest != nil && (latest.revoked || latest.expires.Sub(now) <= s.rules.TokenOverlap):
		latest = nil // the old one lives on to its end
	}
	if latest == nil {
		latest = &accessToken{text: random(136), appID: known.AppID, expires: now.Add(s.rules.TokenLife)}
		known.token, s.tokens[latest.text] = latest, latest
		s.forgetTokens(now)
	}
	return tokenReply{AccessToken: latest.text, ExpiresIn: max(1, int(latest.expires.Sub(now)/time.Second))}, nil
}

// countTokenCall refuses what exceeds a quota.
func (s *Simulator) countTokenCall(a *app, force bool) error {
	now := s.now()
	a.tokenCalls, a.forced = within(a.tokenCalls, now, s.rules.day), within(a.forced, now, s.rules.day)
	lastMinute := within(slices.Clone(a.tokenCalls), now, s.rules.minute)
	switch {
	case len(a.tokenCalls) >= s.rules.TokensPerDay, force && len(a.forced) >= s.rules.ForcedPerDay:
		return refuse(CodeDailyQuota, "reach max api daily quota limit")
	case len(lastMinute) >= s.rules.TokensPerMinute, force && len(a.forced) > 0 && now.Sub(a.forced[len(a.forced)-1]) < s.rules.ForcedInterval:
		return refuse(CodeTooFast, "api minute-quota reach limit, must slower, retry next minute")
	}
	a.tokenCalls = append(a.tokenCalls, now)
	if force {
		a.forced = append(a.forced, now)
	}
	return nil
}

// forgetTokens drops those that ended long ago, so that an endurance run does not grow.
func (s *Simulator) forgetTokens(now time.Time) {
	for text, token := range s.tokens {
		if now.Sub(token.expires) > s.rules.day {
			delete(s.tokens, text)
		}
	}
}

// RevokeTokens ends the access tokens of a mini program, as another system does that fetches them by
// the older GET /cgi-bin/token, or a reset in the platform.
func (s *Simulator) RevokeTokens(appID string) error {
	return s.change(appID, func(a *app) {
		for _, token := range s.tokens {
			token.revoked = token.revoked || token.appID == a.AppID
		}
	})
}

// authorize finds the app of an access token.
func (s *Simulator) authorize(r *http.Request, noted *Call) (*app, error) {
	text := r.URL.Query().Get("access_token")
	token := s.tokens[text]
	if token != nil {
		noted.AppID = token.appID
	}
	switch {
	case text == "":
		return nil, refuse(CodeMissingToken, "access_token missing")
	case len(text) < 64:
		return nil, refuse(CodeInvalidToken, "invalid access_token")
	case token == nil || token.revoked:
		return nil, refuse(CodeInvalidCredential, "invalid credential, access_token is invalid or not latest")
	case !s.now().Before(token.expires):
		return nil, refuse(CodeExpiredToken, "access_token expired")
	}
	return s.apps[token.appID], nil
}

// decode reads a body strictly: types as documented, no unknown member, nothing behind it.
func decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refuse(CodeMalformed, "data format error: %v", err)
	}
	if decoder.More() {
		return refuse(CodeMalformed, "data format error: trailing data")
	}
	return nil
}

func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}
