package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

// weixin asks api.weixin.qq.com who has logged in. Its requests have the AppSecret in their URL, which is therefore in no log and in
// no error.
type weixin struct {
	base   string
	client *http.Client
}

// app is a mini program or an official account. The file of its AppSecret is read anew for each login, so that a changed Secret
// takes effect by itself.
type app struct{ id, secretFile string }

// weixinTimeout leaves the page's own request enough time.
const weixinTimeout = 5 * time.Second

// answerLimit is far more than an answer of WeChat has.
const answerLimit = 64 << 10

func newWeixin(base, caFile string) (*weixin, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	if caFile != "" {
		authority, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("%s has no certificate in PEM", caFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return &weixin{base: strings.TrimSuffix(base, "/"), client: &http.Client{
		Transport: transport, Timeout: weixinTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// miniProgramOpenID exchanges the code of wx.login.
func (w *weixin) miniProgramOpenID(ctx context.Context, of app, code string) (string, error) {
	return w.openID(ctx, of, "/sns/jscode2session", "js_code", code)
}

// officialAccountOpenID exchanges the code of OAuth 2.0 in an official account's page.
func (w *weixin) officialAccountOpenID(ctx context.Context, of app, code string) (string, error) {
	return w.openID(ctx, of, "/sns/oauth2/access_token", "code", code)
}

// whoLoggedIn is what is read of WeChat's answer. session_key and access_token are left where they are.
type whoLoggedIn struct {
	OpenID  string `json:"openid"`
	ErrCode int    `json:"errcode"`
}

var legalOpenID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)

func (w *weixin) openID(ctx context.Context, of app, path, codeName, code string) (string, error) {
	secret, err := os.ReadFile(of.secretFile)
	if err != nil {
		return "", fmt.Errorf("the AppSecret of %s: %w", of.id, err)
	}
	query := url.Values{
		"appid": {of.id}, "secret": {string(bytes.TrimSpace(secret))}, codeName: {code}, "grant_type": {"authorization_code"},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return "", errors.New("--weixin-url is not a URL")
	}
	response, err := w.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking WeChat who logged in: %w", withoutURL(err))
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return "", fmt.Errorf("reading WeChat's answer: %w", withoutURL(err))
	}
	var said whoLoggedIn
	if response.StatusCode != http.StatusOK || json.Unmarshal(content, &said) != nil {
		return "", fmt.Errorf("WeChat answered a login with status %d and no JSON that is understood", response.StatusCode)
	}
	if said.ErrCode != 0 {
		return "", refuseLogin(of.id, said.ErrCode)
	}
	if !legalOpenID.MatchString(said.OpenID) {
		return "", errors.New("WeChat's answer to a login has no openid")
	}
	return said.OpenID, nil
}

// withoutURL removes the URL that net/http puts into its errors.
func withoutURL(err error) error {
	if withURL := (*url.Error)(nil); errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}

// refuseLogin turns WeChat's errcode into what the page can do about it.
func refuseLogin(appID string, errCode int) error {
	switch errCode {
	case -1, 45011: // busy; more than 100 logins a minute of this person
		return tryAgain("WeChat is busy (%d): log in again in a moment", errCode)
	case 40029, 40163: // unknown, expired or of another appid; used before
		return refusal{codeLogInAgain, fmt.Sprintf("WeChat does not take this code (%d): a code is for one login, within five minutes", errCode)}
	case 41008:
		return badRequest("code is missing")
	case 40226:
		return refusal{codeLoginRefused, "WeChat does not let this person log in (40226)"}
	}
	slog.Error("WeChat refuses logins: check appid and AppSecret", "appid", appID, "errcode", errCode)
	return tryAgain("the shop can't log anybody in at the moment")
}
