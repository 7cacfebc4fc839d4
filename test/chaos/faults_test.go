package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

// outcome is the effect of a cut on a step: nothing, an error instead of it, or an error after it
// took effect.
type outcome struct {
	before, after error
	// forged: the call does not reach WeChat Pay, and an attacker answers it.
	forged bool
	// late: the call arrives later; the caller does not wait for that.
	late bool
	// once: the fault does not affect the retry of the call on the backup host.
	once bool
}

func (o outcome) repeated() outcome {
	if o.once {
		return outcome{}
	}
	return o
}

// fault is a way in which a step can fail.
type fault struct {
	name string
	// otherEnd: the run may end differently from the uncut one and still be correct.
	otherEnd bool
	// pace: two concurrent leaders may request refunds too soon after each other, which WeChat Pay
	// refuses.
	pace bool
	// fits reports whether the fault applies to a step of a flow.
	fits func(*flow, step) bool
	do   func(*world, *process, step) outcome
}

var (
	errLost      = errors.New("the answer is lost")
	errUnsent    = errors.New("the connection is reset before the call")
	orders       = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "orders"}
	errAPIFailed = []struct {
		name string
		err  error
	}{
		{"internal error", apierrors.NewInternalError(errors.New("etcdserver: request timed out"))},
		{"too many requests", apierrors.NewTooManyRequests("later", 1)},
		{"unavailable", apierrors.NewServiceUnavailable("shutting down")},
		{"forbidden", apierrors.NewForbidden(orders, "", errors.New("no right"))},
		{"connection refused", &url.Error{Op: "Put", URL: "https://api", Err: syscall.ECONNREFUSED}},
		{"deadline exceeded", context.DeadlineExceeded},
	}
)

func anyStep(*flow, step) bool        { return true }
func apiStep(_ *flow, s step) bool    { return s.api }
func weChatStep(_ *flow, s step) bool { return !s.api && !s.ledger && !s.event }
func payStep(_ *flow, s step) bool    { return !s.api && !s.weixin && !s.ledger && !s.event }
func payable(f *flow, _ step) bool    { return f.payable }

// effectStep matches calls that change something at WeChat Pay.
func effectStep(_ *flow, s step) bool {
	if s.weixin {
		return s.verb == string(weixin.OperationUpload)
	}
	return !s.api && !s.ledger && !s.event && !strings.HasSuffix(s.verb, "query")
}

func dies(_ *world, p *process, _ step) outcome {
	p.dead = true
	return outcome{before: errDead}
}

func diesAfter(_ *world, p *process, s step) outcome {
	// The step itself succeeds; what the process does next does not.
	p.dead = true
	return outcome{after: errDead}
}

// faults lists all faults: crashes, lost responses, errors, concurrent processes, conflicts.
var faults = allFaults()

func allFaults() []*fault {
	all := []*fault{
		{name: "the process dies before it", fits: anyStep, do: dies},
		{name: "the process dies after it", fits: anyStep, do: diesAfter},
		{name: "the process dies after it, the next one's cache is behind", fits: apiStep, do: func(w *world, p *process, s step) outcome {
			w.nextSeen = w.objects()
			return diesAfter(w, p, s)
		}},
		{name: "the process dies before it, the next one's cache is from the beginning", fits: anyStep, do: func(w *world, p *process, s step) outcome {
			w.nextSeen = w.beginning
			return dies(w, p, s)
		}},
		{name: "the answer is lost", fits: func(_ *flow, s step) bool { return !s.ledger && !s.event }, do: func(_ *world, _ *process, s step) outcome {
			if s.api {
				return outcome{after: apierrors.NewTimeoutError("the server did not answer", 1)}
			}
			return outcome{after: errLost}
		}},
		{name: "the answer is lost once", fits: payStep, do: func(*world, *process, step) outcome { return outcome{after: errLost, once: true} }},
		{name: "the call does not arrive", fits: weChatStep, do: func(*world, *process, step) outcome { return outcome{before: errUnsent} }},
		{name: "the call arrives after its sender gave up", pace: true, fits: effectStep, do: func(*world, *process, step) outcome { return outcome{late: true} }},
		{name: "the process dies, and its call arrives later", pace: true, fits: effectStep, do: func(_ *world, p *process, _ step) outcome {
			p.dead = true
			return outcome{late: true}
		}},
		{name: "somebody else answers", fits: payStep, do: func(*world, *process, step) outcome { return outcome{forged: true} }},
	}
	for _, failure := range errAPIFailed {
		all = append(all, &fault{name: failure.name, fits: apiStep, do: func(*world, *process, step) outcome { return outcome{before: failure.err} }})
	}
	all = append(all, answers()...)
	all = append(all, weixinAnswers()...)
	all = append(all, ledgerFaults()...)
	all = append(all, eventFaults()...)
	return append(all,
		&fault{name: "a second replica acts before it", fits: anyStep, do: func(w *world, _ *process, _ step) outcome {
			w.actOnce(0)
			return outcome{}
		}},
		&fault{name: "the leader is paused before it and another acts", pace: true, fits: anyStep, do: func(w *world, _ *process, _ step) outcome {
			w.actOnce(90 * time.Second)
			return outcome{}
		}},
		&fault{name: "the cache does not see it", fits: apiStep, do: func(w *world, p *process, _ step) outcome {
			p.seen = w.objects()
			p.relist()
			return outcome{}
		}},
		&fault{name: "another writer is faster", fits: apiStep, do: func(w *world, _ *process, s step) outcome {
			w.writeFirst(s)
			return outcome{}
		}},
		&fault{name: "a forged callback comes before it", fits: payable, do: func(w *world, _ *process, _ step) outcome {
			w.forgeCallback()
			return outcome{}
		}},
		&fault{name: "the payer pays before it", otherEnd: true, fits: payable, do: func(w *world, _ *process, _ step) outcome {
			w.payMeanwhile(simulator.PayOptions{})
			return outcome{}
		}},
		&fault{name: "the payer pays before it, and the callback gets lost", otherEnd: true, fits: payable, do: func(w *world, _ *process, _ step) outcome {
			w.payMeanwhile(simulator.PayOptions{NoCallback: true})
			return outcome{}
		}},
		&fault{name: "the payer's late money comes before it", otherEnd: true, fits: payable, do: func(w *world, _ *process, _ step) outcome {
			w.payMeanwhile(simulator.PayOptions{Force: true})
			return outcome{}
		}},
	)
}

// weixinAnswers are the answers of api.weixin.qq.com instead of the result, or without it.
func weixinAnswers() []*fault {
	spoil := func(name string, strike weixin.Fault, operations ...weixin.Operation) *fault {
		return &fault{name: "api.weixin.qq.com: " + name,
			fits: func(_ *flow, s step) bool {
				return s.weixin && (len(operations) == 0 || slices.Contains(operations, weixin.Operation(s.verb)))
			},
			do: func(w *world, _ *process, s step) outcome {
				added := strike
				added.Operation, added.Count = weixin.Operation(s.verb), 1
				_, err := w.weixin.AddFault(added)
				w.must(err)
				return outcome{}
			}}
	}
	code := func(errcode weixin.Errcode, operations ...weixin.Operation) *fault {
		return spoil(fmt.Sprintf("errcode %d", errcode), weixin.Fault{Kind: weixin.FaultError, Errcode: errcode, Errmsg: "说明"}, operations...)
	}
	falseState := &fault{name: "api.weixin.qq.com: a false state",
		fits: func(_ *flow, s step) bool { return s.weixin && s.verb == string(weixin.OperationGetOrder) },
		do:   func(*world, *process, step) outcome { return outcome{forged: true} },
	}
	return []*fault{
		falseState,
		spoil("busy", weixin.Fault{Kind: weixin.FaultBusy}),
		spoil("busy, and it did it", weixin.Fault{Kind: weixin.FaultBusy, AfterEffect: true}),
		spoil("a page", weixin.Fault{Kind: weixin.FaultHTML}),
		spoil("the answer is cut", weixin.Fault{Kind: weixin.FaultTruncate}),
		spoil("the access token ends", weixin.Fault{Kind: weixin.FaultRevoke}, weixin.OperationUpload, weixin.OperationGetOrder),
		code(weixin.CodePaymentNotFound, weixin.OperationUpload, weixin.OperationGetOrder),
		code(weixin.CodeAlreadyShipped, weixin.OperationUpload),
		code(weixin.CodeNothingChanged, weixin.OperationUpload),
		code(weixin.CodeReshipUsed, weixin.OperationUpload),
		code(weixin.CodeNotShippable, weixin.OperationUpload),
		code(weixin.CodeTooFast),
		code(weixin.CodeDailyQuota),
	}
}

// answers are the replies that WeChat Pay may send instead of the result, or without executing the
// call.
func answers() []*fault {
	spoil := func(name string, answer simulator.Fault, otherEnd bool, operations ...string) *fault {
		return &fault{name: name, otherEnd: otherEnd,
			fits: func(_ *flow, s step) bool {
				return payStep(nil, s) && (len(operations) == 0 || slices.Contains(operations, s.verb))
			},
			do: func(w *world, _ *process, s step) outcome {
				strike := answer
				strike.Operation, strike.Count = simulator.Operation(s.verb), 2 // the retry on the backup host too
				added, err := w.sim.AddFault(strike)
				w.must(err)
				w.spoiled = added.ID
				return outcome{}
			}}
	}
	onlyV3 := func(f *fault) *fault {
		f.fits = func(of *flow, s step) bool { return payStep(of, s) && of.protocol == v1alpha1.ProtocolV3 }
		return f
	}
	code := func(c string, otherEnd bool, operations ...string) *fault {
		return spoil("WeChat answers "+c, simulator.Fault{Kind: simulator.FaultError, ErrCode: c, ErrCodeDes: "说明"}, otherEnd, operations...)
	}
	return []*fault{
		spoil("WeChat answers SYSTEMERROR", simulator.Fault{Kind: simulator.FaultSystemError}, false),
		spoil("WeChat answers SYSTEMERROR and did it", simulator.Fault{Kind: simulator.FaultSystemError, AfterEffect: true}, false),
		spoil("a proxy answers with a page", simulator.Fault{Kind: simulator.FaultHTML}, false),
		spoil("WeChat answers with its rate limit, unsigned", simulator.Fault{Kind: simulator.FaultRateLimited}, false),
		spoil("WeChat refuses the signature", simulator.Fault{Kind: simulator.FaultFail, ReturnCode: "FAIL", ReturnMsg: "签名错误"}, false),
		spoil("the answer is badly signed", simulator.Fault{Kind: simulator.FaultBadSignature}, false),
		onlyV3(spoil("WeChat tests whether signatures are verified", simulator.Fault{Kind: simulator.FaultSignTest}, false)),
		onlyV3(spoil("the answer is signed by an unknown key", simulator.Fault{Kind: simulator.FaultUnknownSerial}, false)),
		spoil("the answer is cut", simulator.Fault{Kind: simulator.FaultTruncate}, false),
		spoil("the answer is about another number", simulator.Fault{Kind: simulator.FaultWrongNumber}, false, "orderquery", "refundquery", "refund"),
		spoil("WeChat answers FREQUENCY_LIMITED", simulator.Fault{Kind: simulator.FaultFrequencyLimited}, false, "refund", "refundquery"),
		spoil("WeChat answers NOTENOUGH", simulator.Fault{Kind: simulator.FaultNotEnough}, false, "refund"),
		spoil("WeChat answers BIZERR_NEED_RETRY", simulator.Fault{Kind: simulator.FaultNeedRetry}, false, "refund"),
		code("NOAUTH", false, "unifiedorder", "refund"),
		code("PARAM_ERROR", true, "unifiedorder", "refund"),
		code("USER_ACCOUNT_ABNORMAL", true, "refund"),
		code("OUT_TRADE_NO_USED", true, "unifiedorder"),
	}
}
