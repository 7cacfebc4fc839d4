package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// tally counts by name.
type tally map[string]int

func (t tally) sum() int {
	sum := 0
	for _, count := range t {
		sum += count
	}
	return sum
}

// report holds the figures of a run.
type report struct {
	Seed  uint64 `json:"seed"`
	Holds bool   `json:"holds"`

	SetUpSeconds    float64 `json:"setUpSeconds"`
	StrikingSeconds float64 `json:"strikingSeconds"`
	// ConvergenceSeconds includes the time in which nothing may change.
	ConvergenceSeconds float64 `json:"convergenceSeconds"`

	Orders       int   `json:"orders"`
	Shipments    int   `json:"shipments"`
	ShipmentEnds tally `json:"shipmentEnds"`
	// WeixinCalls counts the calls to api.weixin.qq.com by their errcode or fault.
	WeixinCalls  tally `json:"weixinCalls"`
	OrderEnds    tally `json:"orderEnds"`
	Refunds      int   `json:"refunds"`
	Rivals       int   `json:"rivals"`
	Contested    int   `json:"contestedNumbers"`
	RefundEnds   tally `json:"refundEnds"`
	Wishes       tally `json:"wishes"`
	Versions     int   `json:"versions"`
	LedgerOrders tally `json:"ledgerOrders"`
	PaidFen      int64 `json:"paidFen"`
	RefundedFen  int64 `json:"refundedFen"`
	// Fen sums by protocol; Crossed counts refunds in another protocol than their order's.
	Fen          tally `json:"fen"`
	Crossed      tally `json:"refundsInAnotherProtocol"`
	LedgerRefund tally `json:"ledgerRefunds"`
	Calls        tally `json:"calls"`
	Callbacks    tally `json:"callbackAttempts"`
	// Refused counts the calls that WeChat Pay refused without an injected fault.
	Refused tally `json:"refusedCalls"`

	// Events counts what the receiver of the EventSinks took, and how it failed.
	Events tally `json:"events"`

	Strikes   tally `json:"strikes"`
	Faults    tally `json:"wechatFaults"`
	Starts    tally `json:"processStarts"`
	OwnEnds   tally `json:"endedByThemselves"`
	Failovers int32 `json:"failovers"`

	Rules    []judge.Rule       `json:"rules"`
	LookedAt map[judge.Rule]int `json:"lookedAt"`
	Excused  int                `json:"excusedRefundCalls"`
	Findings []judge.Finding    `json:"findings"`
	Logs     string             `json:"-"`
}

// report counts. moments are the start, and the ends of set-up, strikes and convergence.
func (s *soak) report(ctx context.Context, verdict judge.Verdict, evidence judge.Evidence, blows *striker, moments [4]time.Time) (*report, error) {
	lease := &coordinationv1.Lease{}
	if err := s.clients[admin].Get(ctx, client.ObjectKey{Namespace: controlplane.OperatorNamespace, Name: "wechatpay-operator"}, lease); err != nil {
		return nil, err
	}
	r := &report{
		Seed: s.seed, Holds: verdict.Holds(),
		SetUpSeconds: moments[1].Sub(moments[0]).Seconds(), StrikingSeconds: moments[2].Sub(moments[1]).Seconds(), ConvergenceSeconds: moments[3].Sub(moments[2]).Seconds(),
		Orders: len(evidence.Orders), Shipments: len(evidence.Shipments), Refunds: len(evidence.Refunds), Rivals: len(evidence.Rivals), Contested: contested(evidence), Wishes: s.memory.counted(), Versions: len(evidence.History),
		OrderEnds: tally{}, RefundEnds: tally{}, ShipmentEnds: tally{}, WeixinCalls: tally{}, LedgerOrders: tally{}, LedgerRefund: tally{}, Calls: tally{}, Callbacks: tally{}, Fen: tally{}, Crossed: tally{}, Refused: tally{},
		Events: s.listener.counted(), Strikes: blows.dealt, Faults: faultsStruck(evidence.Ledger, evidence.Weixin), Starts: tally{}, OwnEnds: tally{},
		Rules: judge.Rules, LookedAt: verdict.LookedAt, Excused: verdict.Excused, Findings: verdict.Findings, Logs: s.folder,
	}
	if lease.Spec.LeaseTransitions != nil {
		r.Failovers = *lease.Spec.LeaseTransitions
	}
	for _, c := range []*child{s.control.etcd, s.control.apiserver, s.wechat.child, s.replicas[0].child, s.replicas[1].child} {
		r.Starts[c.name] = c.started()
		for how, count := range c.ownEnds() {
			r.OwnEnds[c.name+": "+how] += count
		}
	}
	r.countObjects(evidence.History)
	r.countLedger(evidence)
	return r, nil
}

// countObjects counts how objects ended, by the last reason that they showed.
func (r *report) countObjects(history []judge.Change) {
	type end struct {
		of  tally
		how string
	}
	ends := map[string]end{}
	for _, change := range history {
		var of tally
		var by string
		switch change.Object.(type) {
		case *v1alpha1.Order:
			of, by = r.OrderEnds, v1alpha1.ConditionPaid
		case *v1alpha1.Refund:
			of, by = r.RefundEnds, v1alpha1.ConditionSucceeded
			if reason(change.Object, by) == v1alpha1.ReasonPending {
				by = v1alpha1.ConditionApproved
			}
		case *v1alpha1.Shipment:
			of, by = r.ShipmentEnds, v1alpha1.ConditionUploaded
		default:
			continue
		}
		how := reason(change.Object, by)
		if change.Gone {
			how += ", then deleted"
		}
		ends[fmt.Sprintf("%T %s", change.Object, client.ObjectKeyFromObject(change.Object))] = end{of, how}
	}
	for _, e := range ends {
		e.of[e.how]++
	}
}

// contested counts the numbers requested by two namespaces that may both use the Merchant.
func contested(evidence judge.Evidence) int {
	count := 0
	for _, asked := range evidence.Orders {
		if asked.Twin != nil {
			count++
		}
	}
	for _, asked := range evidence.Refunds {
		if asked.Twin != nil {
			count++
		}
	}
	return count
}

func reason(object client.Object, kind string) string {
	if found := meta.FindStatusCondition(conditions.Of(object), kind); found != nil {
		return found.Reason
	}
	return "no status"
}

// countLedger counts by protocol what WeChat Pay has.
func (r *report) countLedger(evidence judge.Evidence) {
	for _, order := range evidence.Ledger.Orders {
		r.LedgerOrders[string(order.Protocol)+" "+string(order.State)]++
		r.PaidFen += order.Sums.Paid
		r.RefundedFen += order.Sums.Refunded
		r.Fen[string(order.Protocol)+" paid"] += int(order.Sums.Paid)
		r.Fen[string(order.Protocol)+" refunded"] += int(order.Sums.Refunded)
	}
	for _, refund := range evidence.Ledger.Refunds {
		r.LedgerRefund[string(refund.Protocol)+" "+string(refund.Status)]++
		if order := evidence.Ledger.Order(refund.MchID, refund.OutTradeNo); order != nil && order.Protocol != refund.Protocol {
			r.Crossed["in "+string(refund.Protocol)+", of orders of "+string(order.Protocol)]++
		}
	}
	for _, call := range evidence.Ledger.Calls {
		r.Calls[string(call.Protocol)+" "+string(call.Operation)]++
		if call.Outcome != "SUCCESS" && call.Fault == "" {
			r.Refused[string(call.Protocol)+" "+string(call.Operation)+" "+call.Outcome]++
		}
	}
	for operation, outcomes := range evidence.Weixin.CallCounts {
		for outcome, count := range outcomes {
			r.WeixinCalls[string(operation)+" "+outcome] += count
		}
	}
	for _, callback := range evidence.Ledger.Callbacks {
		for _, attempt := range callback.Attempts {
			r.Callbacks[string(callback.Protocol)+" "+string(callback.Operation)+" "+string(attempt.Outcome)]++
		}
	}
}

// print writes the report as text.
func (r *report) print(out io.Writer) {
	section := func(title string, counts tally) {
		fmt.Fprintf(out, "\n%s: %d\n", title, counts.sum())
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(out, "  %6d  %s\n", counts[name], name)
		}
	}
	fmt.Fprintf(out, "\nSeed %d; set up in %.0f s, strikes for %.0f s, converged after %.0f s.\n", r.Seed, r.SetUpSeconds, r.StrikingSeconds, r.ConvergenceSeconds)
	fmt.Fprintf(out, "Requested %d Orders, %d Refunds and %d Shipments, and %d more Orders and Refunds that use the number of one of these without permission; %d versions were stored.\n",
		r.Orders, r.Refunds, r.Shipments, r.Rivals, r.Versions)
	fmt.Fprintf(out, "%d of the numbers were requested in the same second by two namespaces that may both use the Merchant.\n", r.Contested)
	section("How the Orders ended", r.OrderEnds)
	section("How the Refunds ended (with those of late payments)", r.RefundEnds)
	section("How the Shipments ended (with those of rivals)", r.ShipmentEnds)
	section("WeChat's orders", r.LedgerOrders)
	section("WeChat's refunds", r.LedgerRefund)
	fmt.Fprintf(out, "\n%d fen were paid, %d fen refunded.\n", r.PaidFen, r.RefundedFen)
	for _, name := range slices.Sorted(maps.Keys(r.Fen)) {
		fmt.Fprintf(out, "  %s: %d fen\n", name, r.Fen[name])
	}
	section("Refunds in another protocol than their order's", r.Crossed)
	section("Actions of users", r.Wishes)
	section("Latest calls to WeChat", r.Calls)
	section("Calls to api.weixin.qq.com since its last start", r.WeixinCalls)
	section("Calls that WeChat Pay refused by itself", r.Refused)
	section("Callback attempts", r.Callbacks)
	section("Events", r.Events)
	section("Blows", r.Strikes)
	section("Faults of WeChat Pay", r.Faults)
	section("Process starts", r.Starts)
	section("Processes that ended unexpectedly", r.OwnEnds)
	fmt.Fprintf(out, "\nFailovers: %d\nCalls of a resumed leader, refused by WeChat Pay and excused: %d\n\n", r.Failovers, r.Excused)
	r.printFindings(out)
}

// printFindings prints for every rule whether it holds, and the findings.
func (r *report) printFindings(out io.Writer) {
	broken := map[judge.Rule]int{}
	for _, finding := range r.Findings {
		broken[finding.Rule]++
	}
	for _, rule := range r.Rules {
		fmt.Fprintf(out, "%4d violations, looked at %6d times: %s\n", broken[rule], r.LookedAt[rule], rule)
	}
	for _, finding := range r.Findings {
		fmt.Fprintf(out, "\nVIOLATION %s: %s\n  number: %s\n  WeChat: %s\n  object: %s\n", finding.Rule, finding.What, finding.Number, finding.Ledger, finding.Object)
	}
	if r.Holds {
		fmt.Fprintln(out, "\nEverything holds.")
		return
	}
	fmt.Fprintf(out, "\nFAILED: %d violations. The logs are in %s; repeat with --seed %d.\n", len(r.Findings), r.Logs, r.Seed)
}

// write writes the figures as JSON.
func (r *report) write(path string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}
