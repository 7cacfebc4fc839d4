package performance

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// measureScale looks at an operator with many Orders: what they cost while most are finished, and what it does all day
// while all are open.
func measureScale(b *bench) {
	var scales []int
	for _, text := range strings.Split(flags.scales, ",") {
		scale, err := strconv.Atoi(text)
		if err != nil || scale <= 0 || len(scales) > 0 && scale <= scales[len(scales)-1] {
			b.Fatalf("--scales=%s: want growing numbers of Orders, such as 10000,50000,100000", flags.scales)
		}
		scales = append(scales, scale)
	}
	// These names are not part of the figures' names.
	b.Run("memory", func(t *testing.B) { measureMemory(&bench{t, b.ctx, b.results, b.prefix}, scales) })
	b.Run("rest", func(t *testing.B) { measureRest(&bench{t, b.ctx, b.results, b.prefix}, scales[len(scales)/2]) })
}

// atRest is an operator that has looked at all Orders and waits.
type atRest struct {
	orders int
	// ready and looked are the times from the start to /readyz, and until each Order was looked at; cpu and
	// apiServerCPU went into that. All are in seconds.
	ready, looked, cpu, apiServerCPU float64
	// heap is in use after a garbage collection; rss is before it, and peak is the most there was. In bytes.
	heap, rss, peak, apiServerRSS float64
}

// scaled are the figures with lines through all scales.
var scaled = []struct {
	name, what string
	bytes      bool
	of         func(atRest) float64
}{
	{"heap", "of the operator after a garbage collection", true, func(a atRest) float64 { return a.heap }},
	{"rss", "resident when it is idle", true, func(a atRest) float64 { return a.rss }},
	{"rss-peak", "the most that was resident since the start", true, func(a atRest) float64 { return a.peak }},
	{"ready", "from the start to /readyz", false, func(a atRest) float64 { return a.ready }},
	{"looked", "from the start until each Order was looked at once", false, func(a atRest) float64 { return a.looked }},
	{"start-cpu", "of the operator until each Order was looked at once", false, func(a atRest) float64 { return a.cpu }},
	{"start-apiserver-cpu", "of kube-apiserver meanwhile", false, func(a atRest) float64 { return a.apiServerCPU }},
	{"apiserver-rss", "of kube-apiserver, which serves from its own cache", true, func(a atRest) float64 { return a.apiServerRSS }},
}

// measureMemory starts the operator on more and more Orders, of which one in twenty is open.
func measureMemory(b *bench, scales []int) {
	c := b.gather(scales[len(scales)-1], func(i int) bool { return i%20 == 0 })
	var seen []atRest
	for _, scale := range scales {
		c.grow(scale)
		seen = append(seen, c.start())
		b.say("%+v", seen[len(seen)-1])
	}
	const kib, mib = 1 << 10, 1 << 20
	for _, f := range scaled {
		base, slope := fit(seen, f.of)
		each, perEach, unit, perUnit := "us", 1e-6, "s", 1.0
		if f.bytes {
			each, perEach, unit, perUnit = "KiB", kib, "MiB", mib
		}
		b.add(f.name+"-per-order", slope/perEach, each, "%s: slope of the line through all scales; 19 of 20 Orders are paid", f.what)
		b.add(f.name+"-base", base/perUnit, unit, "the same line with no Orders")
		for _, a := range seen {
			b.add(fmt.Sprintf("%s/%d", f.name, a.orders), f.of(a)/perUnit, unit, "%s, with so many Orders", f.what)
		}
	}
	history := 0
	for _, size := range c.sizes {
		history += size
	}
	b.add("etcd-bytes-per-order", float64(c.sizes[0]), "bytes", "stored for a paid Order")
	b.add("etcd-history-per-order", float64(history), "bytes", "all %d versions of it, until etcd is compacted", len(c.sizes))
}

// start starts the operator and waits until it has looked at the crowd.
func (c *crowd) start() atRest {
	before, began := c.usage(), time.Now()
	o := c.stage.start(c.at)
	defer o.stop()
	o.awaitLooked(c.orders)
	looked, after := time.Since(began).Seconds(), c.usage()
	operator, api := after[manager], after["kube-apiserver"]
	return atRest{
		orders: c.orders, ready: o.ready, looked: looked, cpu: operator.cpu, apiServerCPU: api.cpu - before["kube-apiserver"].cpu,
		heap: o.heap(), rss: operator.rss, peak: operator.peak, apiServerRSS: api.rss,
	}
}

// fit is the line through points with the least squares: base + slope * orders. The line of one point goes through zero.
func fit(points []atRest, of func(atRest) float64) (base, slope float64) {
	if len(points) == 1 {
		return 0, of(points[0]) / float64(points[0].orders)
	}
	var n, x, y, xx, xy float64
	for _, p := range points {
		at, value := float64(p.orders), of(p)
		n, x, y, xx, xy = n+1, x+at, y+value, xx+at*at, xy+at*value
	}
	slope = (n*xy - x*y) / (n*xx - x*x)
	return (y - slope*x) / n, slope
}

func TestLineThroughPoints(t *testing.T) {
	for _, test := range []struct {
		points      []atRest
		base, slope float64
	}{
		{[]atRest{{orders: 1, heap: 5}, {orders: 2, heap: 7}, {orders: 4, heap: 11}}, 3, 2},
		{[]atRest{{orders: 0, heap: 0}, {orders: 1, heap: 2}, {orders: 2, heap: 1}}, 0.5, 0.5},
		{[]atRest{{orders: 4, heap: 2}}, 0, 0.5},
	} {
		base, slope := fit(test.points, func(a atRest) float64 { return a.heap })
		if math.Abs(base-test.base) > 1e-9 || math.Abs(slope-test.slope) > 1e-9 {
			t.Errorf("%v: %g + %g x", test.points, base, slope)
		}
	}
}
