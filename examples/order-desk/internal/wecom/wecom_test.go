package wecom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
)

const (
	key   = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
	robot = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + key
)

// weCom plays WeCom: it takes 20 messages in any minute.
type weCom struct {
	t       testing.TB
	taken   []time.Time
	texts   []string
	refused int
	away    atomic.Bool
}

func (w *weCom) RoundTrip(request *http.Request) (*http.Response, error) {
	if w.away.Load() {
		return nil, errors.New("no route")
	}
	var message struct {
		Type string `json:"msgtype"`
		Text struct {
			Content string `json:"content"`
		} `json:"text"`
	}
	if err := json.NewDecoder(request.Body).Decode(&message); err != nil || message.Type != "text" || len(message.Text.Content) > 2048 || request.URL.Query().Get("key") != key {
		w.t.Errorf("no message: %v %+v", err, message)
	}
	answer := `{"errcode":0,"errmsg":"ok"}`
	now := time.Now()
	if n := len(w.taken); n >= 20 && now.Sub(w.taken[n-20]) < time.Minute {
		w.refused++
		answer = `{"errcode":45009,"errmsg":"api freq out of limit, key=` + key + `"}`
	} else {
		w.taken, w.texts = append(w.taken, now), append(w.texts, message.Text.Content)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), Request: request}, nil
}

// remind runs a test of a robot in a bubble, where time costs nothing.
func remind(t *testing.T, test func(book *desk.Book, weCom *weCom, notices *desk.Notices)) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(robot+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal")
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		book, _, err := desk.Open(path, 24*time.Hour, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		fake, notices := &weCom{t: t}, &desk.Notices{}
		r := Robot{
			URLFile: file, Page: "https://desk.example/", Interval: Interval, Blocked: time.Minute,
			Client: &http.Client{Transport: fake}, Notices: notices, Log: slog.New(slog.NewTextHandler(&log, nil)),
		}
		go r.Remind(t.Context(), book)
		test(book, fake, notices)
	})
	if strings.Contains(log.String(), key) {
		t.Errorf("the log holds the key: %s", log.String())
	}
}

// pass lets time pass and what is due then happen.
func pass(duration time.Duration) {
	time.Sleep(duration)
	synctest.Wait()
}

func receive(t *testing.T, book *desk.Book, e event.Event) {
	t.Helper()
	if err := book.Receive(e); err != nil {
		t.Fatal(err)
	}
}

// TestBurstIsCombined: whatever comes, no minute has more than 20 messages, and each order is told
// once.
func TestBurstIsCombined(t *testing.T) {
	remind(t, func(book *desk.Book, fake *weCom, _ *desk.Notices) {
		for i := range 300 {
			receive(t, book, fixture.Paid(t, fmt.Sprintf("order-%04d", i)))
			pass(time.Second)
		}
		pass(time.Minute)
		all := strings.Join(fake.texts, "\n")
		for i := range 300 {
			if got := strings.Count(all, fmt.Sprintf("order-%04d 1.01元", i)); got != 1 {
				t.Errorf("order %d was told %d times", i, got)
			}
		}
		if fake.refused > 0 || len(fake.texts) > 110 {
			t.Errorf("%d messages, %d refused", len(fake.texts), fake.refused)
		}
		if !strings.HasSuffix(fake.texts[0], "\nhttps://desk.example/") {
			t.Error(fake.texts[0])
		}
	})
}

func TestLongMessagesAreCounted(t *testing.T) {
	remind(t, func(book *desk.Book, fake *weCom, _ *desk.Notices) {
		fake.away.Store(true)
		for i := range 300 {
			receive(t, book, fixture.Paid(t, fmt.Sprintf("order-%04d", i)))
		}
		pass(time.Second)
		fake.away.Store(false)
		pass(5 * time.Minute)
		if len(fake.texts) != 1 || !strings.HasPrefix(fake.texts[0], "另有 ") || !strings.Contains(fake.texts[0], "order-0299") {
			t.Errorf("%q", fake.texts)
		}
	})
}

// TestTooOftenIsWaitedOut: another program may use the same robot.
func TestTooOftenIsWaitedOut(t *testing.T) {
	remind(t, func(book *desk.Book, fake *weCom, notices *desk.Notices) {
		for range 20 {
			fake.taken = append(fake.taken, time.Now())
		}
		receive(t, book, fixture.Paid(t, "order-0001"))
		pass(time.Second)
		if notice, wrong := notices.Of(desk.Robot); !wrong || !strings.Contains(notice.Text, "45009") || strings.Contains(notice.Text, key) {
			t.Errorf("%+v", notice)
		}
		pass(2 * time.Minute)
		if _, wrong := notices.Of(desk.Robot); wrong || fake.refused != 1 || len(fake.texts) != 1 {
			t.Errorf("%d refused, told %q", fake.refused, fake.texts)
		}
	})
}

// TestTheKeyIsNotShown: an error of net/http holds the address.
func TestTheKeyIsNotShown(t *testing.T) {
	remind(t, func(book *desk.Book, fake *weCom, notices *desk.Notices) {
		fake.away.Store(true)
		receive(t, book, fixture.Paid(t, "order-0001"))
		pass(time.Second)
		if notice, wrong := notices.Of(desk.Robot); !wrong || strings.Contains(notice.Text, key) {
			t.Errorf("%+v", notice)
		}
	})
}

func TestRefundsAreToldToo(t *testing.T) {
	remind(t, func(book *desk.Book, fake *weCom, _ *desk.Notices) {
		receive(t, book, fixture.Paid(t, "order-0001"))
		receive(t, book, fixture.Refund(t, event.RefundRequested, "refund-0001", "order-0001", 50))
		receive(t, book, fixture.Refund(t, event.RefundSucceeded, "refund-0002", "order-0001", 20))
		pass(time.Minute)
		all := strings.Join(fake.texts, "\n")
		if !strings.Contains(all, "申请退款 refund-0001 0.50元 订单 order-0001") || strings.Contains(all, "refund-0002") {
			t.Errorf("%s", all)
		}
	})
}
