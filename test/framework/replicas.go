package framework

// CallbackURL is where the i-th replica that was started takes callbacks, past the ingress.
func (s *Shop) CallbackURL(i int) string {
	s.T.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	address := s.replicas[i].operator.Callbacks.Address()
	if address == nil {
		s.T.Fatalf("replica %d does not take callbacks", i)
	}
	return "http://" + address.String()
}

// IsLeader says whether the i-th replica that was started reconciles.
func (s *Shop) IsLeader(i int) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-s.replicas[i].operator.Elected():
		return true
	default:
		return false
	}
}
