package v3

import (
	"net/http"
	"sync/atomic"
	"time"
)

// noticeableSkew is the deviation that is reported before WeChat, which tolerates five minutes,
// refuses requests.
const noticeableSkew = 4 * time.Minute

// clockSkew is how far this process's clock is ahead of WeChat's. It is safe for concurrent use.
type clockSkew struct {
	changed func()
	skew    atomic.Int64
}

// record reads the Date header of an answer, which has WeChat's time to the second.
func (s *clockSkew) record(date string, now time.Time) {
	weChatsTime, err := http.ParseTime(date)
	if err != nil {
		return
	}
	skew := now.Sub(weChatsTime)
	if before := time.Duration(s.skew.Swap(int64(skew))); isNoticeable(before) != isNoticeable(skew) {
		s.changed()
	}
}

func isNoticeable(skew time.Duration) bool { return skew.Abs() > noticeableSkew }

func (s *clockSkew) get() time.Duration { return time.Duration(s.skew.Load()) }
