package subscribe

import (
	"context"
	"sync"
	"time"
)

// renewBefore is how long before its end a token is renewed. WeChat returns another one in the last
// five minutes, and takes both.
const renewBefore = 5 * time.Minute

// tokens holds the access token, in memory only.
type tokens struct {
	mutex   sync.Mutex
	token   string
	renewAt time.Time
}

// get returns a token, and fetches one if there is none or it is about to end.
func (t *tokens) get(ctx context.Context, fetch func(context.Context) (token string, lives time.Duration, err error)) (string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.token != "" && time.Now().Before(t.renewAt) {
		return t.token, nil
	}
	token, lives, err := fetch(ctx)
	if err != nil {
		return "", err
	}
	t.token, t.renewAt = token, time.Now().Add(lives-renewBefore)
	return token, nil
}

// drop forgets a token that WeChat does not take.
func (t *tokens) drop(token string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.token == token {
		t.token = ""
	}
}
