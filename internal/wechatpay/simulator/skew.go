package simulator

import "time"

// SetClockSkew sets how far WeChat Pay's clock is ahead of the simulator's; negative is behind. It
// shifts the Date header, the timestamps of API v3 and what those of requests are compared with. No
// interval changes.
func (s *Simulator) SetClockSkew(skew time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = skew
}

// wireTime is WeChat Pay's clock.
func (s *Simulator) wireTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wireTimeLocked()
}

func (s *Simulator) wireTimeLocked() time.Time { return s.now().Add(s.skew) }
