package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"
)

// strike is one kind of disturbance.
type strike struct {
	name string
	do   func(*striker, context.Context) bool
}

// strikes are all kinds. Each round runs all of them in random order.
var strikes = []strike{
	{"SIGKILL of the leader", func(s *striker, ctx context.Context) bool { return s.end(s.leader(ctx), syscall.SIGKILL) }},
	{"SIGKILL of the other replica", func(s *striker, ctx context.Context) bool { return s.end(s.follower(ctx), syscall.SIGKILL) }},
	{"SIGKILL of both replicas", func(s *striker, _ context.Context) bool {
		return s.end(s.replicas[0].child, syscall.SIGKILL) && s.end(s.replicas[1].child, syscall.SIGKILL)
	}},
	{"SIGTERM of the leader", func(s *striker, ctx context.Context) bool { return s.end(s.leader(ctx), syscall.SIGTERM) }},
	{"SIGSTOP of the leader, SIGCONT", (*striker).pauseLeader},
	{"SIGSTOP of the other replica, SIGCONT", func(s *striker, ctx context.Context) bool { return s.follower(ctx).pause(ctx, s.pauseLength()) }},
	{"SIGTERM of kube-apiserver", func(s *striker, _ context.Context) bool { return s.end(s.control.apiserver, syscall.SIGTERM) }},
	{"SIGKILL of kube-apiserver", func(s *striker, _ context.Context) bool { return s.end(s.control.apiserver, syscall.SIGKILL) }},
	{"SIGTERM of etcd", func(s *striker, _ context.Context) bool { return s.end(s.control.etcd, syscall.SIGTERM) }},
	{"SIGKILL of etcd", func(s *striker, _ context.Context) bool { return s.end(s.control.etcd, syscall.SIGKILL) }},
	{"SIGSTOP of etcd, SIGCONT", func(s *striker, ctx context.Context) bool { return s.control.etcd.pause(ctx, s.pauseLength()) }},
	{"SIGKILL of WeChat Pay", func(s *striker, _ context.Context) bool { return s.end(s.wechat, syscall.SIGKILL) }},
	{"SIGKILL of PostgreSQL", func(s *striker, ctx context.Context) bool {
		return s.database.kill(ctx, time.Duration(s.chance.Int64N(int64(8*time.Second))))
	}},
	{"SIGKILL of leader and WeChat Pay", func(s *striker, ctx context.Context) bool {
		return s.end(s.leader(ctx), syscall.SIGKILL) && s.end(s.wechat, syscall.SIGKILL)
	}},
	{"SIGKILL of everything", func(s *striker, _ context.Context) bool {
		done := true
		for _, c := range []*child{s.replicas[0].child, s.replicas[1].child, s.control.apiserver, s.control.etcd, s.wechat} {
			done = s.end(c, syscall.SIGKILL) && done
		}
		return done
	}},
}

// striker strikes at random moments.
type striker struct {
	chance   *rand.Rand
	control  *controlPlane
	replicas []*replica
	wechat   *child
	database *database
	memory   *memory
	// recover restores what a killed simulator forgot.
	recover func(context.Context) error
	dealt   map[string]int
}

// strikeGap is the range of the time between two strikes.
var strikeGap = [2]time.Duration{2 * time.Second, 9 * time.Second}

// strikeUntil strikes until the context ends.
func (s *striker) strikeUntil(ctx context.Context) error {
	for ctx.Err() == nil {
		for _, i := range s.chance.Perm(len(strikes)) {
			pause(ctx, strikeGap[0]+time.Duration(s.chance.Int64N(int64(strikeGap[1]-strikeGap[0]))))
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the context ended, as planned
			}
			if strikes[i].do(s, ctx) {
				s.dealt[strikes[i].name]++
			}
			// A strike needs a running target, and a program must be up for some time to get work
			// done.
			if err := s.awaitUp(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	return nil
}

func (s *striker) awaitUp(ctx context.Context) error {
	if err := s.control.awaitReady(ctx); err != nil {
		return err
	}
	return s.recover(ctx)
}

func (s *striker) end(c *child, signal syscall.Signal) bool {
	return c.strike(signal, time.Duration(s.chance.Int64N(int64(4*time.Second))))
}

// pauseLength is longer than the lease and shorter than the operator's NotExistGrace.
func (s *striker) pauseLength() time.Duration {
	return 3500*time.Millisecond + time.Duration(s.chance.Int64N(int64(5*time.Second)))
}

// pauseLeader is the worst strike: the leader resumes in the middle of a call, when another one has
// taken over.
func (s *striker) pauseLeader(ctx context.Context) bool {
	leader := s.leader(ctx)
	from := time.Now()
	done := leader.pause(ctx, s.pauseLength())
	s.memory.paused(from, time.Now())
	return done
}

// leader returns the leading replica; any of them if none is known to lead.
func (s *striker) leader(ctx context.Context) *child { return s.role(ctx, true) }

func (s *striker) follower(ctx context.Context) *child { return s.role(ctx, false) }

func (s *striker) role(ctx context.Context, leads bool) *child {
	leader := s.chance.IntN(2) // drawn in any case, so that the same seed gives the same strikes
	for i, r := range s.replicas {
		if r.isLeader(ctx) {
			leader = i
		}
	}
	if !leads {
		return s.replicas[1-leader].child
	}
	return s.replicas[leader].child
}
