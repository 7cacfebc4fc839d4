package account

import (
	"net/url"
	"testing"
	"time"

	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
)

func TestRepliesBelongToTheKey(t *testing.T) {
	r := NewRegistry(nil, Options{})
	now := time.Now()
	of := func(mchID, key, host string) *v2.Replies {
		return r.repliesOf(v2.Options{MchID: mchID, APIKey: key, Endpoint: &url.URL{Scheme: "https", Host: host}}, now)
	}
	first := of("1900000109", "key1", "a")
	if of("1900000109", "key1", "b") != first || of("1900000109", "key1", "a") != first {
		t.Error("another host, or another Client, has not seen the replies")
	}
	if of("1900000109", "key2", "a") == first || of("1900000110", "key1", "a") == first {
		t.Error("who does not have the key shares the replies")
	}
	now = now.Add(repliesKeptFor)
	if of("1900000109", "key1", "a") != first {
		t.Error("they are forgotten too early")
	}
	r.dropUnusedReplies(now.Add(repliesKeptFor))
	if of("1900000109", "key1", "a") != first {
		t.Error("they are forgotten while in use")
	}
	r.dropUnusedReplies(now.Add(repliesKeptFor + 1))
	if of("1900000109", "key1", "a") == first || len(r.replies) != 1 {
		t.Error("they are kept for ever")
	}
}
