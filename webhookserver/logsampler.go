package webhookserver

import (
	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// How often one message is logged about one Merchant; perNamespace times that about all of a namespace. Anybody can have callbacks refused, thousands a second; the metric counts
// them all, and a line now and then says why.
const (
	linesAtOnce    = 10
	linesPerSecond = 1
	// longestValue of a line. What a callback holds is logged of verified ones only, but even then its length is the sender's.
	longestValue = 256
)

// logSampler remember what was logged a short while ago: each message, which are constants, about each Merchant and each namespace.
type logSampler struct {
	clock clock.PassiveClock
	lines buckets[sampledLine]
}

// sampledLine is a message about somebody.
type sampledLine struct {
	about   tenantKey
	message string
}

func newLogSampler(clock clock.PassiveClock) *logSampler { return &logSampler{clock: clock} }

// may says whether a message may be logged once more, and how many were not since the last one.
func (m *logSampler) may(about tenantKey, message string) (say bool, unsaid int) {
	now, said := m.clock.Now(), sampledLine{about, message}
	if say, unsaid = m.lines.take(said, linesPerSecond, linesAtOnce, now); !say {
		return false, 0
	}
	if say, _ = m.lines.take(sampledLine{about.ofNamespace(), message}, perNamespace*linesPerSecond, perNamespace*linesAtOnce, now); !say {
		m.lines.deny(said, unsaid+1)
		return false, 0
	}
	return true, unsaid
}

// sample is a log that keeps these manners about someone.
func (m *logSampler) sample(log logr.Logger, about tenantKey) logr.Logger {
	sink := log.GetSink()
	if sink == nil {
		return log
	}
	return log.WithSink(&sampledSink{sink, m, about})
}

type sampledSink struct {
	logr.LogSink
	sampler *logSampler
	about   tenantKey
}

func (s *sampledSink) Info(level int, message string, keysAndValues ...any) {
	if say, more := s.may(message, keysAndValues); say {
		s.LogSink.Info(level, message, more...)
	}
}

func (s *sampledSink) Error(err error, message string, keysAndValues ...any) {
	if say, more := s.may(message, keysAndValues); say {
		s.LogSink.Error(err, message, more...)
	}
}

func (s *sampledSink) may(message string, keysAndValues []any) (bool, []any) {
	say, unsaid := s.sampler.may(s.about, message)
	if unsaid > 0 {
		keysAndValues = append([]any{"notLogged", unsaid}, keysAndValues...)
	}
	return say, bounded(keysAndValues)
}

func (s *sampledSink) WithValues(keysAndValues ...any) logr.LogSink {
	return &sampledSink{s.LogSink.WithValues(bounded(keysAndValues)...), s.sampler, s.about}
}

func (s *sampledSink) WithName(name string) logr.LogSink {
	return &sampledSink{s.LogSink.WithName(name), s.sampler, s.about}
}

// bounded shortens texts that are too long for a line, and cleans them: a callback may claim anything.
func bounded(keysAndValues []any) []any {
	for i, value := range keysAndValues {
		claimed, ok := value.(string)
		if !ok {
			continue
		}
		shown := text.AtMost(longestValue, claimed)
		if len(claimed) > longestValue {
			shown += "..."
		}
		keysAndValues[i] = shown
	}
	return keysAndValues
}
