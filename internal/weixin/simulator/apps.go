package simulator

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"
)

// app is a MiniProgram with what WeChat counts of it.
type app struct {
	MiniProgram
	// token is the latest access token.
	token *accessToken
	// tokenCalls and forced are the times of calls to stable_token within a day.
	tokenCalls, forced []time.Time
	// users are the openids that it knows, with the times of their logins within a minute.
	users map[string]*user
}

type user struct {
	unionID  string
	highRisk bool
	logins   []time.Time
}

func (a *app) user(openID string) *user {
	known := a.users[openID]
	if known == nil {
		known = &user{}
		a.users[openID] = known
	}
	return known
}

// AddMiniProgram adds a mini program or official account, or replaces its settings.
func (s *Simulator) AddMiniProgram(m MiniProgram) error {
	if err := m.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.apps[m.AppID]; known != nil {
		known.MiniProgram = m
		return nil
	}
	s.apps[m.AppID] = &app{MiniProgram: m, users: map[string]*user{}}
	return nil
}

// change changes the settings of a mini program.
func (s *Simulator) change(appID string, what func(*app)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[appID]
	if known == nil {
		return fmt.Errorf("appid %q: %w", appID, ErrNotFound)
	}
	what(known)
	return nil
}

// SetAppSecret resets the AppSecret. Access tokens stay valid.
func (s *Simulator) SetAppSecret(appID, secret string) error {
	return s.change(appID, func(a *app) { a.AppSecret = secret })
}

// SetAllowedAddresses sets the addresses that may fetch access tokens; nil allows all.
func (s *Simulator) SetAllowedAddresses(appID string, addresses []string) error {
	return s.change(appID, func(a *app) { a.AllowedAddresses = slices.Clone(addresses) })
}

// SetUnmanaged says whether the order shipping system leaves the trade alone.
func (s *Simulator) SetUnmanaged(appID string, unmanaged bool) error {
	return s.change(appID, func(a *app) { a.Unmanaged = unmanaged })
}

// SetHighRisk blocks or unblocks the login of a user.
func (s *Simulator) SetHighRisk(appID, openID string, highRisk bool) error {
	return s.change(appID, func(a *app) { a.user(openID).highRisk = highRisk })
}

// authenticate finds the app of an appid and its AppSecret.
func (s *Simulator) authenticate(appID, secret string) (*app, error) {
	switch known := s.apps[appID]; {
	case appID == "":
		return nil, refuse(CodeMissingAppID, "appid missing")
	case secret == "":
		return nil, refuse(CodeMissingSecret, "appsecret missing")
	case known == nil:
		return nil, refuse(CodeInvalidAppID, "invalid appid")
	case subtle.ConstantTimeCompare([]byte(known.AppSecret), []byte(secret)) != 1:
		return nil, refuse(CodeInvalidSecret, "invalid appsecret")
	default:
		return known, nil
	}
}

// within drops the times that are older than a window.
func within(times []time.Time, now time.Time, window time.Duration) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) >= window })
}

// random returns text that nobody can guess, of the length that WeChat's have at least.
func random(length int) string {
	text := ""
	for len(text) < length {
		text += rand.Text()
	}
	return text[:length]
}
