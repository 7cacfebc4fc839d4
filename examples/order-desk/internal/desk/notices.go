package desk

import (
	"sync"
	"time"
)

// Notices are what does not work at the moment, for the page: the printer, the robot, the receiver of
// forwarded events. They are not stored.
type Notices struct {
	mutex    sync.Mutex
	problems map[string]Notice
	listener func()
}

// Notice is a problem, and since when there is one.
type Notice struct {
	Text  string
	Since time.Time
}

// Subjects of notices.
const (
	Printer = "printer"
	Robot   = "robot"
	Payer   = "payer"
	Sink    = "sink"
	Orders  = "orders"
)

// Listen sets a function that is called at each change.
func (n *Notices) Listen(listener func()) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.listener = listener
}

// Set shows what is wrong with a subject; an empty text says that nothing is. It reports whether the
// text is new.
func (n *Notices) Set(subject, text string, now time.Time) bool {
	n.mutex.Lock()
	before, there := n.problems[subject]
	if before.Text == text {
		n.mutex.Unlock()
		return false
	}
	if n.problems == nil {
		n.problems = map[string]Notice{}
	}
	if text == "" {
		delete(n.problems, subject)
	} else if there {
		n.problems[subject] = Notice{text, before.Since}
	} else {
		n.problems[subject] = Notice{text, now}
	}
	listener := n.listener
	n.mutex.Unlock()
	if listener != nil {
		listener()
	}
	return true
}

// Of returns what is wrong with a subject.
func (n *Notices) Of(subject string) (Notice, bool) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	notice, wrong := n.problems[subject]
	return notice, wrong
}
