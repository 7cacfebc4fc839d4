package performance

import (
	"context"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Good callbacks come at goodRate. Beside them come bodies of largeSize bytes at largeRate. Before the number of their
// members was limited, reading these took most of a core.
const (
	goodRate  = 50
	largeRate = 84
	largeSize = 65_000
	// besideTurns are more than of other figures, since a p99 is soon spoiled by other load on the machine.
	besideTurns = 4
)

// measureBeside compares good callbacks alone with those beside large bodies, sent to the same address and to that of a
// stranger's Merchant, in turns.
func measureBeside(b *bench) {
	s := b.open(scene{finalizerAtCreation: true})
	o := s.operate()
	s.openNamespace(stranger)
	s.awaitReady(s.addMerchant(stranger, stranger, strangerMchID, strangerKey, func(*v1alpha1.MerchantSpec) {}))
	a := s.newAttackers(largeRate)
	large := func(to string) attack {
		send := a.flood(s.callbackURL(to, to, "payment"), largeBody(largeSize))
		return attack{by: 1, once: func(ctx context.Context) {
			const minute = 60 * largeRate
			atRate(ctx, largeRate, minute, func(int) bool { send(ctx); return true })
		}}
	}
	cases := []struct {
		name, what string
		others     attack
	}{
		{"alone", "nothing else comes", attack{}},
		{"same", "to the same address", large(shop)},
		{"stranger", "to a stranger's Merchant", large(stranger)},
	}
	paces := map[string]pace{}
	for turn := range besideTurns {
		for _, c := range cases {
			callbacks := o.prepareCallbacks(fmt.Sprintf("beside-%s-%d", c.name, turn+1), goodRate*callbackTurnSeconds)
			stop := a.begin(c.others)
			p := callbacks.sendAtRate(goodRate)
			stop()
			b.say("%s, turn %d: %s; %d large bodies were answered", c.name, turn+1, p, a.answered.Swap(0))
			callbacks.repeat()
			paces[c.name] = paces[c.name].and(p)
		}
	}
	for _, c := range cases {
		p := paces[c.name]
		b.add(c.name+"-p99", p.percentile(99), "ms", "of %d callbacks at %d a second, beside %d bodies of %d bytes a second %s; p50 %.3g", len(p.times), goodRate, largeRate*c.others.by, largeSize, c.what, p.percentile(50))
		if c.others.by > 0 {
			b.add(c.name+"-ratio", p.percentile(99)/paces["alone"].percentile(99), "x", "of their p99 alone; %d callbacks without SUCCESS at first are not in it", p.failed)
		}
	}
}
