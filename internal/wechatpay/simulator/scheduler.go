package simulator

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// scheduler runs jobs when they are due by the simulator's clock, with a limited number of workers.
type scheduler struct {
	now func() time.Time
	// poll is how often to read a clock that a test moves; 0 uses timers.
	poll time.Duration
	wake chan struct{}
	work chan func()

	mu   sync.Mutex
	jobs jobHeap
	next uint64
}

type job struct {
	due time.Time
	// order keeps jobs that are due at the same time in insertion order.
	order uint64
	run   func()
}

func newScheduler(now func() time.Time, poll time.Duration) *scheduler {
	return &scheduler{now: now, poll: poll, wake: make(chan struct{}, 1), work: make(chan func())}
}

// at runs a job at a time, or soon if that has passed.
func (s *scheduler) at(due time.Time, run func()) {
	s.mu.Lock()
	s.next++
	heap.Push(&s.jobs, job{due: due, order: s.next, run: run})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // already signalled
	}
}

// start runs the dispatcher and its workers until the context ends.
func (s *scheduler) start(ctx context.Context, running *sync.WaitGroup, workers int) {
	running.Go(func() { s.dispatch(ctx) })
	for range workers {
		running.Go(func() { s.labour(ctx) })
	}
}

func (s *scheduler) dispatch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		run, wait := s.pop()
		if run != nil {
			select {
			case s.work <- run:
				continue
			case <-ctx.Done():
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (s *scheduler) labour(ctx context.Context) {
	for {
		select {
		case run := <-s.work:
			run()
		case <-ctx.Done():
			return
		}
	}
}

// pop returns the next job if it is due, or how long to wait.
func (s *scheduler) pop() (run func(), wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) == 0 {
		return nil, time.Hour
	}
	wait = s.jobs[0].due.Sub(s.now())
	if wait <= 0 {
		run = s.jobs[0].run
		heap.Pop(&s.jobs)
		return run, 0
	}
	if s.poll > 0 && wait > s.poll {
		wait = s.poll
	}
	return nil, wait
}

type jobHeap []job

func (h jobHeap) Len() int      { return len(h) }
func (h jobHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h jobHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].order < h[j].order
	}
	return h[i].due.Before(h[j].due)
}

// Push implements heap.Interface; x is always a job.
func (h *jobHeap) Push(x any) {
	if j, isJob := x.(job); isJob {
		*h = append(*h, j)
	}
}

// Pop implements heap.Interface.
func (h *jobHeap) Pop() any {
	last := len(*h) - 1
	popped := (*h)[last]
	(*h)[last] = job{}
	*h = (*h)[:last]
	return popped
}
