package chaos_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// run is one run of a flow; a run without a cut finds the steps that can be cut.
type run struct {
	flow *flow
	cuts []cut
	// want is the end of the uncut run.
	want string
}

func (r run) String() string {
	if len(r.cuts) == 0 {
		return r.flow.name + "/uncut"
	}
	words := make([]string, len(r.cuts))
	for i, c := range r.cuts {
		words[i] = c.String()
	}
	return r.flow.name + "/" + strings.Join(words, then)
}

// then separates the cuts of a run.
const then = " + "

// otherEnd reports whether the run may end differently from the uncut one and still be correct.
func (r run) otherEnd() bool {
	return slices.ContainsFunc(r.cuts, func(c cut) bool { return c.fault.otherEnd })
}

// result is the result of a run.
type result struct {
	run        run
	steps      []step
	end        string
	trace      []string
	violations []violation
	checked    map[invariant]int
}

func (s *suite) make(r run) result {
	w, err := newWorld(s, r.flow, r.cuts)
	if err != nil {
		panic(err)
	}
	defer w.close()
	w.explored()
	end := w.end()
	if r.flow.alike != nil {
		end = r.flow.alike(end)
	}
	if len(r.cuts) > 0 && !r.otherEnd() {
		w.holds(sameEnd)
		if end != r.want {
			w.breaks(sameEnd, "the run ends otherwise than the uncut one:\n%s\nnot:\n%s", end, r.want)
		}
	}
	return result{run: r, steps: w.steps, end: end, trace: w.trace, violations: w.violations, checked: w.checked}
}

// makeAll makes several runs in parallel and passes on their results in order.
func (s *suite) makeAll(runs []run, take func(result)) {
	results := make([]chan result, len(runs))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	var next sync.Mutex
	at := 0
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				next.Lock()
				mine := at
				at++
				next.Unlock()
				if mine >= len(runs) {
					return
				}
				results[mine] <- s.make(runs[mine])
			}
		})
	}
	for i := range results {
		take(<-results[i])
	}
	working.Wait()
}

// cutOnceMore lists every run that starts like this one and is then cut once more: every fault that
// fits, at every step after the last cut, including the steps of the recovery.
func (r result) cutOnceMore() []run {
	first, want := 0, r.end
	if made := r.run.cuts; len(made) > 0 {
		first, want = made[len(made)-1].at, r.run.want
	}
	var runs []run
	for i := first; i < len(r.steps); i++ {
		for _, f := range faults {
			if f.fits(r.run.flow, r.steps[i]) {
				cuts := append(slices.Clone(r.run.cuts), cut{at: i + 1, what: r.steps[i].String(), fault: f})
				runs = append(runs, run{flow: r.run.flow, cuts: cuts, want: want})
			}
		}
	}
	return runs
}

// draw samples the runs. The seed selects them, and their order stays.
func draw(runs []run, wanted int, seed uint64) []run {
	if len(runs) <= wanted {
		return runs
	}
	type lot struct {
		drawn uint64
		at    int
	}
	lots := make([]lot, len(runs))
	for i, r := range runs {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, r))
		lots[i] = lot{binary.BigEndian.Uint64(sum[:]), i}
	}
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Compare(a.drawn, b.drawn) })
	lots = lots[:wanted]
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Compare(a.at, b.at) })
	drawn := make([]run, wanted)
	for i, l := range lots {
		drawn[i] = runs[l.at]
	}
	return drawn
}
