package simulator

// entry is one line of the state file, which keeps what was uploaded; exactly one of its fields is set.
type entry struct {
	Shipping  *Shipping  `json:"shipping,omitempty"`
	Upload    *Upload    `json:"upload,omitempty"`
	Violation *Violation `json:"violation,omitempty"`
}

// restore applies one line.
func (s *Simulator) restore(e entry) {
	switch {
	case e.Shipping != nil:
		known := s.shipped[e.Shipping.TransactionID]
		if known == nil {
			s.shipped[e.Shipping.TransactionID] = e.Shipping
			s.order = append(s.order, e.Shipping)
			return
		}
		*known = *e.Shipping
	case e.Upload != nil:
		s.journal.Uploads = append(s.journal.Uploads, *e.Upload)
	case e.Violation != nil:
		s.journal.Violations = append(s.journal.Violations, *e.Violation)
	}
}

// entries are the lines of a new state file.
func (s *Simulator) entries() []entry {
	var out []entry
	for _, shipping := range s.order {
		out = append(out, entry{Shipping: shipping})
	}
	for i := range s.journal.Uploads {
		out = append(out, entry{Upload: &s.journal.Uploads[i]})
	}
	for i := range s.journal.Violations {
		out = append(out, entry{Violation: &s.journal.Violations[i]})
	}
	return out
}
