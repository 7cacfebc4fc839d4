package webhookserver

import (
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// How often one message is logged about one Merchant. Anybody can have callbacks refused, thousands a second; the metric counts
// them all, and a line now and then says why.
const (
	linesAtOnce    = 10
	linesPerSecond = 1
	// longestValue of a line. What a callback holds is logged of verified ones only, but even then its length is the sender's.
	longestValue = 256
)

// manners remember what was logged a short while ago. There is one for each message, which are constants, of each Merchant.
type manners struct {
	clock clock.PassiveClock

	mutex    sync.Mutex
	messages map[string]*habit
}

type habit struct {
	*rate.Limiter
	unsaid int
}

func newManners(clock clock.PassiveClock) *manners {
	return &manners{clock: clock, messages: map[string]*habit{}}
}

// may says whether a message may be logged once more, and how many were not since the last one.
func (m *manners) may(message string) (say bool, unsaid int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	known := m.messages[message]
	if known == nil {
		known = &habit{Limiter: rate.NewLimiter(linesPerSecond, linesAtOnce)}
		m.messages[message] = known
	}
	if !known.AllowN(m.clock.Now(), 1) {
		known.unsaid++
		return false, 0
	}
	unsaid, known.unsaid = known.unsaid, 0
	return true, unsaid
}

// modest is a log that keeps these manners about someone.
func (m *manners) modest(log logr.Logger, about string) logr.Logger {
	sink := log.GetSink()
	if sink == nil {
		return log
	}
	return log.WithSink(&modestSink{sink, m, about})
}

type modestSink struct {
	logr.LogSink
	manners *manners
	about   string
}

func (s *modestSink) Info(level int, message string, keysAndValues ...any) {
	if say, more := s.may(message, keysAndValues); say {
		s.LogSink.Info(level, message, more...)
	}
}

func (s *modestSink) Error(err error, message string, keysAndValues ...any) {
	if say, more := s.may(message, keysAndValues); say {
		s.LogSink.Error(err, message, more...)
	}
}

func (s *modestSink) may(message string, keysAndValues []any) (bool, []any) {
	say, unsaid := s.manners.may(s.about + "\x00" + message)
	if unsaid > 0 {
		keysAndValues = append([]any{"notLogged", unsaid}, keysAndValues...)
	}
	return say, bounded(keysAndValues)
}

func (s *modestSink) WithValues(keysAndValues ...any) logr.LogSink {
	return &modestSink{s.LogSink.WithValues(bounded(keysAndValues)...), s.manners, s.about}
}

func (s *modestSink) WithName(name string) logr.LogSink {
	return &modestSink{s.LogSink.WithName(name), s.manners, s.about}
}

// bounded shortens texts that are too long for a line.
func bounded(keysAndValues []any) []any {
	for i, value := range keysAndValues {
		if text, ok := value.(string); ok && len(text) > longestValue {
			keysAndValues[i] = strings.ToValidUTF8(text[:longestValue], "") + "..."
		}
	}
	return keysAndValues
}
