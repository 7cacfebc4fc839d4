package weixin

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// renewBefore is how long before its end an access token is renewed. WeChat issues the next one in
// the last five minutes, and both are valid then.
const renewBefore = 3 * time.Minute

// tokens holds the access token, in memory only. stable_token gives the same one to every process
// in its normal mode, so processes do not invalidate each other's tokens.
type tokens struct {
	mutex sync.Mutex
	// text is the current one, and end when it ends; renew is when the next one is fetched.
	text       string
	end, renew time.Time
	// flight is closed when the call in flight has ended.
	flight chan struct{}
	failed error
}

// Token makes sure that there is an access token: WeChat accepted the appid and the AppSecret.
func (c *Client) Token(ctx context.Context) error {
	_, err := c.token(ctx, "")
	return err
}

// Forget drops the access token, so that the next call shows whether WeChat still gives one.
func (c *Client) Forget() {
	c.tokens.mutex.Lock()
	defer c.tokens.mutex.Unlock()
	c.tokens.text = ""
}

// token returns an access token that is not the rejected one. Callers share one call.
func (c *Client) token(ctx context.Context, rejected string) (string, error) {
	t := &c.tokens
	for {
		t.mutex.Lock()
		now := c.settings.Now()
		if t.text != "" && t.text != rejected && now.Before(t.renew) {
			defer t.mutex.Unlock()
			return t.text, nil
		}
		if t.flight == nil {
			t.flight = make(chan struct{})
			t.mutex.Unlock()
			return c.fetch(ctx, rejected)
		}
		flight := t.flight
		t.mutex.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return "", &Error{Operation: OperationGetToken, Outcome: wechatpay.NotSent, Meaning: Repeat, Err: errors.New("GetAccessToken: no answer in the time given")}
		}
		t.mutex.Lock()
		failed := t.failed
		t.mutex.Unlock()
		if failed != nil {
			return "", failed
		}
	}
}

// fetch asks WeChat, and ends the flight.
func (c *Client) fetch(ctx context.Context, rejected string) (string, error) {
	started := c.settings.Now()
	text, lifetime, err := c.ask(ctx, false)
	if err == nil && text == rejected {
		// WeChat still believes in a token that its other system rejects.
		text, lifetime, err = c.ask(ctx, true)
	}
	t := &c.tokens
	t.mutex.Lock()
	defer t.mutex.Unlock()
	defer close(t.flight)
	t.flight, t.failed = nil, err
	switch {
	case err == nil:
		t.text, t.end = text, started.Add(lifetime)
		t.renew = started.Add(max(lifetime-renewBefore, lifetime/2))
		return text, nil
	case t.text != "" && t.text != rejected && started.Before(t.end) && !Means(err, CredentialsRejected):
		t.failed = nil
		t.renew = started.Add(t.end.Sub(started) / 4) // it is valid until its end, and renewed before
		return t.text, nil
	default:
		t.text = ""
		return "", err
	}
}

type tokenRequest struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh"`
}

// ask calls stable_token.
func (c *Client) ask(ctx context.Context, force bool) (text string, lifetime time.Duration, err error) {
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	request := tokenRequest{GrantType: "client_credential", AppID: c.settings.AppID, Secret: c.settings.AppSecret, ForceRefresh: force}
	if err := c.post(ctx, OperationGetToken, "/cgi-bin/stable_token", nil, request, &answer); err != nil {
		return "", 0, err
	}
	if answer.AccessToken == "" || answer.ExpiresIn <= 0 || answer.ExpiresIn > 7*24*3600 {
		return "", 0, &Error{Operation: OperationGetToken, Outcome: wechatpay.Unknown, Meaning: Repeat, Err: errors.New("GetAccessToken: the answer has no access token")}
	}
	c.proven()
	return answer.AccessToken, time.Duration(answer.ExpiresIn) * time.Second, nil
}
