package desk

import (
	"context"
	"time"
)

// Follow calls do with the entries that are chosen, in the order of arrival, whenever there are any,
// until the context ends. do records what it did, so that they are not chosen again. When it fails it
// is called again after a pause.
func (b *Book) Follow(ctx context.Context, chosen func(*Entry) bool, pace Pace, do func(context.Context, []*Entry) error) {
	pauses := pace.New()
	for ctx.Err() == nil {
		entries, changed := b.Select(chosen)
		if len(entries) == 0 {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		if do(ctx, entries) == nil {
			pauses.Reset()
		} else if !pauses.Wait(ctx) {
			return
		}
	}
}

// IsYounger reports whether an entry arrived less than some time ago.
func (b *Book) IsYounger(e *Entry, than time.Duration) bool { return b.now().Sub(e.Received) < than }
