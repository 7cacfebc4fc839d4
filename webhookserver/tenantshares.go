package webhookserver

import "sync"

// shareFactor is how many times as much as is left over a tenant may hold. Alone it gets four fifths of all places; each of two that
// want all gets four ninths, and so on: the more is taken, the less anybody may take more, and some places are left for
// whoever comes next. (Switches share their memory between ports like that: "dynamic thresholds", Choudhury and Hahne, 1998.)
const shareFactor = 4

// tenantShares are those of tenants in the callbacks that are being settled, which are never cut off. What is idle may be used by
// anybody, but nobody gets hold of all, however many Merchants he makes.
type tenantShares struct {
	places int

	mutex sync.Mutex
	taken int
	of    map[string]int
}

func newTenantShares(places int) *tenantShares {
	return &tenantShares{places: places, of: map[string]int{}}
}

// take takes a place for a tenant; false when it holds its share already.
func (s *tenantShares) take(tenant string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.of[tenant] >= shareFactor*(s.places-s.taken) {
		return false
	}
	s.taken++
	s.of[tenant]++
	return true
}

func (s *tenantShares) giveBack(tenant string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.taken--
	if s.of[tenant]--; s.of[tenant] == 0 {
		delete(s.of, tenant)
	}
}
