package chaos_test

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// cut is one failure at one step of a flow.
type cut struct {
	// at is the number of the step, from 1; what is the step in the run with one cut less.
	at    int
	what  string
	fault *fault
}

func (c cut) String() string { return fmt.Sprintf("%d/%s", c.at, c.fault.name) }

// reach is called before every step of every process, and applies the cuts.
func (w *world) reach(p *process, s step) outcome {
	if w.spoiled != "" && !s.api && !s.ledger && !s.event {
		w.sim.RemoveFault(w.spoiled) // any remaining fault belongs to the previous step
		w.spoiled = ""
	}
	if s.weixin {
		w.weixin.ClearFaults("")
	}
	if p != w.leader || !w.counting {
		return outcome{}
	}
	w.steps = append(w.steps, s)
	if w.cutsMade == len(w.cuts) || w.cuts[w.cutsMade].at != len(w.steps) {
		return outcome{}
	}
	c := w.cuts[w.cutsMade]
	w.cutsMade++
	w.note("CUT at step %d (%s): %s", c.at, s, c.fault.name)
	if s.String() != c.what {
		w.violate("the run is not the same as before: step %d was %q", c.at, c.what)
	}
	return c.fault.do(w, p, s)
}

// actOnce lets another process do everything that is due while the leader hangs.
func (w *world) actOnce(pause time.Duration) {
	w.clock.Step(pause)
	other := newProcess(w, "other-replica")
	w.register(other)
	for range most {
		if !other.work() && !other.record() && !other.tell() {
			other.dead = true
			other.closeLedger()
			return
		}
	}
	w.violate("the other replica does not come to rest")
}

// writeFirst makes the step's write conflict with a newer version of the object.
func (w *world) writeFirst(s step) {
	ctx := context.Background()
	if s.verb == "create" {
		rival := s.object.DeepCopyObject().(client.Object)
		if err := w.suite.api.Create(ctx, rival); !apierrors.IsAlreadyExists(err) {
			w.must(err)
			w.stored(rival)
		}
		return
	}
	object := newObject(kindOf(s.object))
	object.SetNamespace(s.object.GetNamespace())
	object.SetName(s.object.GetName())
	touch := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/touched":"%d"}}}`, w.cutsMade)
	err := w.suite.api.Patch(ctx, object, client.RawPatch(types.MergePatchType, touch))
	if apierrors.IsNotFound(err) {
		return
	}
	w.must(err)
	w.stored(object)
}

// payMeanwhile lets the payer pay during a step; another replica receives the callback.
func (w *world) payMeanwhile(how simulator.PayOptions) {
	if w.calledBack {
		return // nested: the simulator's only callback worker is in use
	}
	if _, err := w.sim.Pay(mchID, firstOrder, how); err != nil {
		w.note("the payer could not pay: %v", err)
		return
	}
	w.note("the payer pays")
	w.standIn = newProcess(w, "other-replica")
	w.register(w.standIn)
	w.deliver()
	w.standIn.dead, w.standIn = true, nil
}
