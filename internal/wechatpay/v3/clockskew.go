package v3

import (
	"net/http"
	"sync"
	"time"
)

// noticeableSkew is the deviation that is reported before WeChat, which tolerates five minutes,
// refuses requests.
const noticeableSkew = 4 * time.Minute

// clockSkew is how far this process's clock is ahead of WeChat's. It is safe for concurrent use.
type clockSkew struct {
	changed func()

	mutex sync.Mutex
	skew  time.Duration
}

// note reads the Date header of an answer, which says WeChat's time to the second.
func (s *clockSkew) note(date string, now time.Time) {
	said, err := http.ParseTime(date)
	if err != nil {
		return
	}
	s.mutex.Lock()
	before := s.skew
	s.skew = now.Sub(said)
	crossed := isNoticeable(before) != isNoticeable(s.skew)
	s.mutex.Unlock()
	if crossed {
		s.changed()
	}
}

func isNoticeable(skew time.Duration) bool { return skew.Abs() > noticeableSkew }

func (s *clockSkew) get() time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.skew
}
