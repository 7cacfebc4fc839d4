package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const (
	// startWindow begins with the process, restWindow after it.
	startWindow, restWindow = time.Minute, time.Minute
	leaderWindow            = 30 * time.Second
	merchantWindow          = 20 * time.Second
	// merchantChanges are made within merchantWindow.
	merchantChanges = 5
)

// measureRest watches an operator that has nothing to do but to ask for open Orders now and then: from its start, at rest, while
// the Merchant changes, and when another becomes the leader. Nobody pays.
func measureRest(ctx context.Context, o settings, orders int, r *results) error {
	return withCrowd(ctx, o, orders, everyone, func(c *crowd) error {
		if err := c.grow(ctx, orders, everyone); err != nil {
			return err
		}
		before, err := c.stage.writes(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		leader, err := c.stage.startOperator(ctx)
		if err != nil {
			return err
		}
		w := &watcher{stage: c.stage, crowd: c, results: r}
		return errors.Join(w.watchLeader(ctx, leader, count{at: began, writes: before}), leader.Stop())
	})
}

// watcher adds figures of an operator at rest.
type watcher struct {
	stage   *stage
	crowd   *crowd
	results *results
	rest    tempo
}

// over waits for the end of a window, and says what the operator did in it.
func (w *watcher) over(ctx context.Context, o *operator, name string, from count, window time.Duration) (count, tempo, error) {
	select {
	case <-ctx.Done():
		return from, tempo{}, ctx.Err()
	case <-time.After(time.Until(from.at.Add(window))):
	}
	now, err := o.counted(ctx)
	seen := now.since(from)
	fmt.Printf("    %s: %s; by the schedule %.1f polls/s\n", name, seen, w.due(from.at, now.at))
	return now, seen, err
}

// due is how many polls a second the schedule has.
func (w *watcher) due(from, until time.Time) float64 {
	return float64(duePolls(w.crowd.open, from, until)) / until.Sub(from).Seconds()
}

func (w *watcher) watchLeader(ctx context.Context, leader *operator, began count) error {
	_, first, err := w.over(ctx, leader, "the first minute", began, startWindow)
	if err != nil {
		return err
	}
	if err := leader.awaitLooked(ctx, w.crowd.total); err != nil {
		return err
	}
	started, err := leader.counted(ctx)
	if err != nil {
		return err
	}
	rested, rest, err := w.over(ctx, leader, "at rest", started, restWindow)
	if err != nil {
		return err
	}
	w.rest = rest
	r := w.results
	r.add("rest/cpu", 100*rest.cpu, "% of a core", "of the operator with %d open Orders aged 0 to 2 h, whom nobody pays", w.crowd.total)
	r.add("rest/apiserver-cpu", 100*rest.apiServer, "% of a core", "of kube-apiserver meanwhile")
	r.add("rest/polls", rest.polls, "per s", "orderqueries; the schedule has %.1f", w.due(started.at, rested.at))
	r.add("rest/writes", rest.writes, "per s", "writes to the API server but for the Lease, which is renewed every 2 s")
	r.add("start/polls-ratio", first.polls/rest.polls, "x", "orderqueries in the first minute of a process, beside those at rest")
	r.add("start/writes", first.writes, "per s", "writes to the API server in that minute")
	return errors.Join(w.changeMerchant(ctx, leader), w.changeLeader(ctx, leader))
}

// changeMerchant turns a field of the Merchant to and fro that no open Order cares about.
func (w *watcher) changeMerchant(ctx context.Context, leader *operator) error {
	from, err := leader.counted(ctx)
	if err != nil {
		return err
	}
	changes := []v1alpha1.RefundApproval{v1alpha1.RefundApprovalManual, v1alpha1.RefundApprovalAutomatic}
	for i := range merchantChanges {
		if err := w.stage.setRefundApproval(ctx, changes[i%2]); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(merchantWindow / (merchantChanges + 1)):
		}
	}
	_, seen, err := w.over(ctx, leader, fmt.Sprintf("while the Merchant changed %d times", merchantChanges), from, merchantWindow)
	if err != nil {
		return err
	}
	each := merchantWindow.Seconds() / merchantChanges
	r := w.results
	r.add("merchant-change/polls-ratio", seen.polls/w.rest.polls, "x", "orderqueries in %s with %d changes of the Merchant, beside those at rest", merchantWindow, merchantChanges)
	r.add("merchant-change/writes", (seen.writes-w.rest.writes)*each-1, "per change", "writes to the API server beyond rest and the change itself")
	r.add("merchant-change/cpu", 1000*(seen.cpu-w.rest.cpu)*each, "ms per change", "CPU of the operator beyond rest")
	return nil
}

func (s *stage) setRefundApproval(ctx context.Context, to v1alpha1.RefundApproval) error {
	merchant := &v1alpha1.Merchant{}
	merchant.Namespace, merchant.Name = shopNamespace, merchantName
	patch := fmt.Appendf(nil, `{"spec":{"refundApproval":%q}}`, to)
	return s.cluster.Client.Patch(ctx, merchant, client.RawPatch("application/merge-patch+json", patch))
}

// changeLeader ends the leader while another replica stands by.
func (w *watcher) changeLeader(ctx context.Context, leader *operator) error {
	at, err := freeAddresses()
	if err != nil {
		return err
	}
	next, err := w.stage.startProgram(ctx, w.stage.settings.manager, at)
	if err != nil {
		return err
	}
	return errors.Join(w.handOver(ctx, leader, next), next.Stop())
}

func (w *watcher) handOver(ctx context.Context, leader, next *operator) error {
	asked := time.Now()
	if err := leader.Stop(); err != nil {
		return err
	}
	if err := await(ctx, "the other replica to lead", func(ctx context.Context) error {
		leads, err := next.metric(ctx, "leader_election_master_status")
		if err == nil && leads == 0 {
			err = errors.New("it does not yet")
		}
		return err
	}); err != nil {
		return err
	}
	took := time.Since(asked)
	from, err := next.counted(ctx)
	if err != nil {
		return err
	}
	_, seen, err := w.over(ctx, next, "the first half minute of a new leader", from, leaderWindow)
	if err != nil {
		return err
	}
	if err := next.awaitLooked(ctx, w.crowd.total); err != nil {
		return err
	}
	r := w.results
	r.add("leader-change/took", took.Seconds(), "s", "from SIGTERM of the leader until a replica that stood by leads")
	r.add("leader-change/polls-ratio", seen.polls/w.rest.polls, "x", "orderqueries in its first %s, beside those at rest", leaderWindow)
	r.add("leader-change/writes", seen.writes, "per s", "writes to the API server in that time")
	r.add("leader-change/cpu", 100*seen.cpu, "% of a core", "CPU of the operator in that time")
	return nil
}
