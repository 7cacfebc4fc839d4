package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ticketLifetime is how long the mini program may take to open its web-view.
const ticketLifetime = time.Minute

const purposeTicket = "ticket"

// ticket lets a web-view log in as the mini program's payer. It is in the web-view's address, so it is short-lived and good for one
// login.
type ticket struct {
	ID      string    `json:"id"`
	AppID   string    `json:"appid"`
	OpenID  string    `json:"openid"`
	Expires time.Time `json:"expires"`
	// Issuer is the address of the replica that knows whether it was used.
	Issuer string `json:"issuer"`
}

// usedTickets are those that this replica issued and that were used, until they expire.
type usedTickets struct {
	mutex sync.Mutex
	until map[string]time.Time
}

// use reports whether a ticket was used for the first time.
func (u *usedTickets) use(t ticket, now time.Time) bool {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for id, expires := range u.until {
		if !now.Before(expires) {
			delete(u.until, id)
		}
	}
	if _, used := u.until[t.ID]; used {
		return false
	}
	u.until[t.ID] = t.Expires
	return true
}

// issueTicket answers POST /ticket.
func (s *storefront) issueTicket(r *http.Request) (any, error) {
	by, err := s.sessions.of(r)
	if err != nil {
		return nil, err
	}
	if by.OpenID == "" {
		return nil, badRequest("a guest has no ticket to give: log in with a code of WeChat's")
	}
	sealed, err := s.sessions.seal(purposeTicket, ticket{
		ID: rand.Text(), AppID: by.AppID, OpenID: by.OpenID, Expires: s.sessions.now().Add(ticketLifetime), Issuer: s.settings.advertise,
	})
	return struct {
		Code   int    `json:"code"`
		Ticket string `json:"ticket"`
	}{codeSuccess, sealed}, err
}

// forwarded marks a login that another replica sent on.
const forwarded = "Storefront-Forwarded"

// loginByTicket begins a session, at the replica that issued the ticket: only that one knows whether it was used.
func (s *storefront) loginByTicket(r *http.Request, sealed string) (any, error) {
	again := refusal{codeLogInAgain, "this ticket was used, has expired or is not of this shop: ask for another one"}
	var t ticket
	if s.sessions.open(purposeTicket, sealed, &t) != nil || !s.sessions.now().Before(t.Expires) {
		return nil, again
	}
	if t.Issuer != s.settings.advertise {
		if r.Header.Get(forwarded) != "" {
			return nil, again // the issuer has another address by now, and has forgotten its tickets
		}
		return s.forwardLogin(r.Context(), t.Issuer, sealed, again)
	}
	if !s.usedTickets.use(t, s.sessions.now()) {
		return nil, again
	}
	return s.sessions.begin(t.AppID, t.OpenID)
}

// forwardLogin has the replica that issued a ticket answer. The address comes out of the sealed ticket, so no client can choose it.
func (s *storefront) forwardLogin(ctx context.Context, issuer, sealed string, again refusal) (any, error) {
	body, err := json.Marshal(loginRequest{Ticket: sealed})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+issuer+"/login", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set(forwarded, "1")
	response, err := s.replicas.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the replica that issued a ticket: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, again
	}
	var answer token
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("asking the replica that issued a ticket: %w", err)
	}
	return answer, nil
}
