package main

import (
	"context"
	"fmt"
	"net/http"
)

// source says where somebody logs in.
type source string

// The sources of logins.
const (
	sourceMiniProgram     source = "MiniProgram"
	sourceOfficialAccount source = "OfficialAccount"
	sourceBrowser         source = "Browser"
)

// longestCode of a login, in bytes; WeChat's have some 32.
const longestCode = 256

// loginRequest is what a page sends: a code of WeChat's with its source, or a ticket of ours.
type loginRequest struct {
	Code   string `json:"code"`
	Source source `json:"source"`
	Ticket string `json:"ticket"`
}

// login answers POST /login with a token of the shop's own. WeChat's openid and session_key never leave the server.
func (s *storefront) login(r *http.Request) (any, error) {
	request, err := readJSON[loginRequest](r)
	if err != nil {
		return nil, err
	}
	if request.Ticket != "" {
		return s.loginByTicket(r, request.Ticket)
	}
	switch request.Source {
	case "", sourceMiniProgram:
		return s.loginByCode(r, s.settings.miniProgram, request.Code, s.weixin.miniProgramOpenID)
	case sourceOfficialAccount:
		return s.loginByCode(r, s.settings.officialAccount, request.Code, s.weixin.officialAccountOpenID)
	case sourceBrowser:
		return s.sessions.begin("", "")
	}
	return nil, badRequest("source must be %s, %s or %s", sourceMiniProgram, sourceOfficialAccount, sourceBrowser)
}

// exchange turns a code of WeChat's into an openid.
type exchange func(ctx context.Context, of app, code string) (openID string, err error)

// loginByCode begins the session of the person to whom WeChat gave a code.
func (s *storefront) loginByCode(r *http.Request, of app, code string, exchange exchange) (any, error) {
	switch {
	case of.id == "":
		return nil, refusal{codeLoginRefused, "this shop takes no logins from this source"}
	case code == "" || len(code) > longestCode:
		return nil, badRequest("code must be what WeChat gave to the page, 1 to %d bytes", longestCode)
	}
	openID, err := exchange(r.Context(), of, code)
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	return s.sessions.begin(of.id, openID)
}
