package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// patience is how long to wait for a state. The steps take seconds; a busy machine needs longer.
const patience = 2 * time.Minute

// mismatch is a failed expectation.
type mismatch struct{ what, expected, got string }

func (m *mismatch) Error() string {
	return fmt.Sprintf("%s\n  expected: %s\n  got:      %s", m.what, m.expected, m.got)
}

// expect compares two values.
func expect[T comparable](what string, got, expected T) error {
	if got == expected {
		return nil
	}
	return &mismatch{what: what, expected: fmt.Sprint(expected), got: fmt.Sprint(got)}
}

// await polls ask until it returns yes or an error, or patience ends. saw describes the last state.
func await(ctx context.Context, what string, ask func(context.Context) (yes bool, saw string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	for {
		yes, saw, err := ask(ctx)
		if err != nil || yes {
			return err
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
				return cause
			}
			return &mismatch{what: what, expected: fmt.Sprintf("within %s", patience), got: saw}
		}
	}
}
