package bills

import (
	"slices"
)

// movement has the fields of a row that the chain of balances needs: 24 bytes.
type movement struct {
	second        int64
	before, after int64
}

// balanceChain checks that each balance follows from the one before. Rows of one second may come in any order, so it
// holds all movements, and looks for an order in which those of a second form a chain.
type balanceChain []movement

func (c *balanceChain) add(row FundRow) {
	// The amount and the balance are not negative, so the sum can only be too large. It then becomes negative, which no
	// balance in the chain is.
	*c = append(*c, movement{second: row.Time.Unix(), before: row.Balance - row.Signed(), after: row.Balance})
}

// check returns the balances before and after all movements. If the chain is broken, they are those of the first and
// the last row.
func (c balanceChain) check() (opening, closing *int64, ok bool) {
	if len(c) == 0 {
		return nil, nil, true
	}
	slices.SortStableFunc(c, func(a, b movement) int {
		switch {
		case a.second < b.second:
			return -1
		case a.second > b.second:
			return 1
		default:
			return 0
		}
	})
	first, last := c[0].before, c[len(c)-1].after
	start := c.start()
	balance := start
	for second := range c.seconds {
		if balance, ok = follow(balance, second); !ok {
			return &first, &last, false
		}
	}
	return &start, &balance, true
}

// seconds calls yield with the movements of each second.
func (c balanceChain) seconds(yield func(balanceChain) bool) {
	for at := 0; at < len(c); {
		second := c.ofSecond(at)
		if !yield(second) {
			return
		}
		at += len(second)
	}
}

// ofSecond returns the movements of the second that begins at an index.
func (c balanceChain) ofSecond(at int) balanceChain {
	end := at + 1
	for end < len(c) && c[end].second == c[at].second {
		end++
	}
	return c[at:end]
}

// start returns the balance at which the chain begins, if there is one. A second whose movements end at the balance
// where they began does not determine the start; the first other second does.
func (c balanceChain) start() int64 {
	passed := map[int64]int{}
	seconds := 0
	for second := range c.seconds {
		left, through := map[int64]int{}, map[int64]bool{}
		for _, m := range second {
			left[m.before]++
			left[m.after]--
			through[m.before] = true
		}
		for balance, times := range left {
			if times > 0 {
				return balance
			}
		}
		seconds++
		for balance := range through {
			passed[balance]++
		}
	}
	for _, m := range c {
		if passed[m.before] == seconds {
			return m.before
		}
	}
	return c[0].before
}

// follow returns where a chain through all movements of a second ends if it begins at a balance. Such a chain exists if
// the movements are connected and each balance is left as often as it is reached; only the start is left once more, and
// only the end reached once more (Euler).
func follow(start int64, movements balanceChain) (end int64, ok bool) {
	if len(movements) == 1 { // nearly always
		return movements[0].after, movements[0].before == start
	}
	left := map[int64]int{start: -1}
	groups := groups{}
	for _, m := range movements {
		left[m.before]++
		left[m.after]--
		groups.join(m.before, m.after)
	}
	// The start counts as reached from outside, so only the end is out of balance.
	end, found := start, false
	for balance, times := range left {
		switch {
		case times == 0:
		case times == -1 && !found:
			end, found = balance, true
		default:
			return 0, false
		}
	}
	for _, m := range movements {
		if groups.of(m.before) != groups.of(start) {
			return 0, false
		}
	}
	return end, found
}

// groups are sets of balances that movements connect.
type groups map[int64]int64

func (g groups) of(balance int64) int64 {
	for {
		parent, found := g[balance]
		if !found || parent == balance {
			return balance
		}
		if grand, found := g[parent]; found {
			g[balance] = grand
		}
		balance = parent
	}
}

func (g groups) join(a, b int64) {
	if a, b = g.of(a), g.of(b); a != b {
		g[a] = b
	}
}
