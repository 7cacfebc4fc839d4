package webhookserver

import "sync"

// shareFactor is how many times the free slots one tenant may use. A single tenant gets four fifths
// of all slots, each of two gets four ninths, and so on: the more slots are used, the fewer a
// tenant may add, and some are always left for the next one. (Switches share their memory between
// ports by the same rule: "dynamic thresholds", Choudhury and Hahne, 1998.)
const shareFactor = 4

// tenantShares limits the callbacks of each tenant that are being handled, whose connections are
// never closed. A tenant may use free slots, but never all of them, however many Merchants it has.
type tenantShares struct {
	slots int

	mutex    sync.Mutex
	used     int
	byTenant map[string]int
}

func newTenantShares(slots int) *tenantShares {
	return &tenantShares{slots: slots, byTenant: map[string]int{}}
}

// acquire takes a slot for a tenant. It returns false if the tenant uses its share already.
func (s *tenantShares) acquire(tenant string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.byTenant[tenant] >= shareFactor*(s.slots-s.used) {
		return false
	}
	s.used++
	s.byTenant[tenant]++
	return true
}

func (s *tenantShares) release(tenant string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.used--
	if s.byTenant[tenant]--; s.byTenant[tenant] == 0 {
		delete(s.byTenant, tenant)
	}
}
