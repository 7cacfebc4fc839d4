package performance

import (
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const (
	// startWindow begins with the process, restWindow after it.
	startWindow, restWindow = time.Minute, time.Minute
	leaderWindow            = 30 * time.Second
	merchantWindow          = 20 * time.Second
	// merchantChanges are made within merchantWindow.
	merchantChanges = 5
)

// measureRest watches an operator that only asks for open Orders now and then: from its start, at rest, while the
// Merchant changes, and when another replica becomes the leader. Nobody pays.
func measureRest(b *bench, orders int) {
	c := b.gather(orders, func(int) bool { return true })
	c.grow(orders)
	began := work{at: time.Now(), writes: c.writes()}
	leader := c.stage.start(c.at)
	first := c.over(leader, "the first minute", began, startWindow)
	leader.awaitLooked(c.orders)
	started := leader.work()
	rest := c.over(leader, "at rest", started, restWindow)
	b.add("rest/cpu", 100*rest.cpu, "% of a core", "of the operator with %d open Orders aged 0 to 2 h, whom nobody pays", c.orders)
	b.add("rest/polls", rest.polls, "per s", "orderqueries; the schedule has %.1f", c.due(started.at, rest.at))
	b.add("rest/writes", rest.writes, "per s", "writes to the API server but for the Lease, which is renewed every 2 s")
	b.add("start/polls-ratio", first.polls/rest.polls, "x", "orderqueries in the first minute of a process, beside those at rest")
	b.add("start/writes", first.writes, "per s", "writes to the API server in that minute")

	from := leader.work()
	c.changeMerchant()
	changed := c.over(leader, "while the Merchant changed", from, merchantWindow)
	each := merchantWindow.Seconds() / merchantChanges
	b.add("merchant-change/polls-ratio", changed.polls/rest.polls, "x", "orderqueries in %s with %d changes of the Merchant, beside those at rest", merchantWindow, merchantChanges)
	b.add("merchant-change/writes", (changed.writes-rest.writes)*each-1, "per change", "writes to the API server beyond rest and the change itself")
	b.add("merchant-change/cpu", 1000*(changed.cpu-rest.cpu)*each, "ms per change", "CPU of the operator beyond rest")

	next := c.stage.start(c.freeAddresses())
	asked := time.Now()
	leader.stop()
	next.awaitMetric(soon, 1, "leader_election_master_status", "")
	took := time.Since(asked).Seconds()
	led := c.over(next, "the first half minute of a new leader", next.work(), leaderWindow)
	next.awaitLooked(c.orders)
	b.add("leader-change/took", took, "s", "from SIGTERM of the leader until a replica that stood by leads")
	b.add("leader-change/polls-ratio", led.polls/rest.polls, "x", "orderqueries in its first %s, beside those at rest", leaderWindow)
	b.add("leader-change/writes", led.writes, "per s", "writes to the API server in that time")
	b.add("leader-change/cpu", 100*led.cpu, "% of a core", "CPU of the operator in that time")
}

// work is what an operator has done until a time, or does in a second. polls are orderqueries, writes are those to the
// API server but for the Lease, and cpu is in seconds.
type work struct {
	at                 time.Time
	polls, writes, cpu float64
}

// work reads the counters of the only operator. CPU is read last, so that the cost of reading falls before the window.
func (o *operator) work() work {
	polls := o.metric("wechatpay_requests_total", fmt.Sprintf(`operation=%q`, wechatpay.OperationQueryOrder))
	writes := o.stage.writes()
	return work{polls: polls, writes: writes, cpu: o.stage.usage()[manager].cpu, at: time.Now()}
}

// writes is how often anybody wrote an Order, Refund or Merchant, or an event, since the API server started.
func (s *stage) writes() float64 {
	const writing = `.*verb="(?:POST|PUT|PATCH|APPLY|DELETE|DELETECOLLECTION)"`
	return s.sumOfSeries(s.api, strings.TrimSuffix(s.cluster.Config.Host, "/"), "apiserver_request_total", `(?:group="wechatpay-operator.io"|resource="events")`+writing)
}

// over waits for the end of a window, and returns what the operator did in a second of it.
func (c *crowd) over(o *operator, name string, from work, window time.Duration) work {
	c.pause(time.Until(from.at.Add(window)))
	now := o.work()
	seconds := now.at.Sub(from.at).Seconds()
	seen := work{now.at, (now.polls - from.polls) / seconds, (now.writes - from.writes) / seconds, (now.cpu - from.cpu) / seconds}
	c.say("%s: %.1f polls/s (the schedule has %.1f), %.2f writes/s, %.1f %% of a core", name, seen.polls, c.due(from.at, now.at), seen.writes, 100*seen.cpu)
	return seen
}

// changeMerchant changes a field of the Merchant to and fro that no open Order depends on.
func (s *stage) changeMerchant() {
	changes := []v1alpha1.RefundApproval{v1alpha1.RefundApprovalManual, v1alpha1.RefundApprovalAutomatic}
	for i := range merchantChanges {
		patch := fmt.Appendf(nil, `{"spec":{"refundApproval":%q}}`, changes[i%2])
		s.must(s.cluster.Client.Patch(s.ctx, s.merchant, client.RawPatch("application/merge-patch+json", patch)))
		s.pause(merchantWindow / (merchantChanges + 1))
	}
}
