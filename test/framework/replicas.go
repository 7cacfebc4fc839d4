package framework

// CallbackURL returns the callback URL of the i-th started replica, bypassing the ingress.
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

// IsLeader reports whether the i-th started replica is the leader.
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
