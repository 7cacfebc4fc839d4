package account

import "errors"

// Problem is the reason why a Merchant can't be used, as in its condition Ready.
type Problem struct {
	// Reason is a reason of the condition Ready.
	Reason string
	// Message says what is wrong, where, and what to do. It never holds a key or a certificate.
	Message string
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// message returns the message, or "" without a Problem.
func (p *Problem) message() string {
	if p == nil {
		return ""
	}
	return p.Message
}

// AsProblem returns the Problem in err, if there is one.
func AsProblem(err error) (*Problem, bool) { return errors.AsType[*Problem](err) }
