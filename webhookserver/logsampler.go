package webhookserver

import (
	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// The rate at which one message is logged about one Merchant, and perNamespace times that about its
// namespace. Anyone can cause thousands of refused callbacks a second; the metric counts all of
// them, and a log line now and then says why.
const (
	burstLines     = 10
	linesPerSecond = 1
	// longestValue limits the values in a line. Only content of verified callbacks is logged, but
	// the sender chooses its length.
	longestValue = 256
)

// logSampler limits how often each constant message is logged about each Merchant and each
// namespace.
type logSampler struct {
	clock clock.PassiveClock
	lines buckets[sampledLine]
}

// sampledLine is a message about a tenant.
type sampledLine struct {
	about   tenantKey
	message string
}

func newLogSampler(clock clock.PassiveClock) *logSampler { return &logSampler{clock: clock} }

// allow reports whether a message may be logged, and how many were suppressed since the last one.
func (s *logSampler) allow(about tenantKey, message string) (allowed bool, suppressed int) {
	now, line := s.clock.Now(), sampledLine{about, message}
	if allowed, suppressed = s.lines.take(line, linesPerSecond, burstLines, now); !allowed {
		return false, 0
	}
	if allowed, _ = s.lines.take(sampledLine{about.ofNamespace(), message}, perNamespace*linesPerSecond, perNamespace*burstLines, now); !allowed {
		s.lines.deny(line, suppressed+1)
		return false, 0
	}
	return true, suppressed
}

// sample returns a logger that samples its messages about a tenant.
func (s *logSampler) sample(log logr.Logger, about tenantKey) logr.Logger {
	sink := log.GetSink()
	if sink == nil {
		return log
	}
	return log.WithSink(&sampledSink{sink, s, about})
}

type sampledSink struct {
	logr.LogSink
	sampler *logSampler
	about   tenantKey
}

func (s *sampledSink) Info(level int, message string, keysAndValues ...any) {
	if allowed, more := s.allow(message, keysAndValues); allowed {
		s.LogSink.Info(level, message, more...)
	}
}

func (s *sampledSink) Error(err error, message string, keysAndValues ...any) {
	if allowed, more := s.allow(message, keysAndValues); allowed {
		s.LogSink.Error(err, message, more...)
	}
}

func (s *sampledSink) allow(message string, keysAndValues []any) (bool, []any) {
	allowed, suppressed := s.sampler.allow(s.about, message)
	if suppressed > 0 {
		keysAndValues = append([]any{"notLogged", suppressed}, keysAndValues...)
	}
	return allowed, bounded(keysAndValues)
}

func (s *sampledSink) WithValues(keysAndValues ...any) logr.LogSink {
	return &sampledSink{s.LogSink.WithValues(bounded(keysAndValues)...), s.sampler, s.about}
}

func (s *sampledSink) WithName(name string) logr.LogSink {
	return &sampledSink{s.LogSink.WithName(name), s.sampler, s.about}
}

// bounded shortens and cleans string values: a callback can contain anything.
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
