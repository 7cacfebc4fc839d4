package simulator

import (
	"fmt"
	"slices"
)

// SubMerchant is a merchant for which a service provider acts.
type SubMerchant struct {
	SubMchID string `json:"sub_mchid"`
	// SubAppIDs are bound to the sub merchant by the provider.
	SubAppIDs []string `json:"sub_appids,omitempty"`
	// RefundRight is the sub merchant's permission to refund for it. There is none by default.
	// RefundRevoked is set when it is taken back.
	RefundRight   bool `json:"refund_right,omitempty"`
	RefundRevoked bool `json:"refund_revoked,omitempty"`
	// Dissolved is set when the sub merchant leaves the provider, which then can't call for it.
	Dissolved bool `json:"dissolved,omitempty"`
	// Balance is what refunds draw on; nil is unlimited.
	Balance *int64 `json:"balance,omitempty"`
}

func checkSubMerchants(m Merchant) error {
	seen := map[string]bool{m.MchID: true}
	for _, sub := range m.SubMerchants {
		switch {
		case !mchIDFormat.MatchString(sub.SubMchID):
			return fmt.Errorf("%w: a sub_mchid is 8 to 10 digits", ErrInvalid)
		case seen[sub.SubMchID]:
			return fmt.Errorf("%w: sub_mchid %s twice, or the provider's own", ErrInvalid, sub.SubMchID)
		case sub.Balance != nil && *sub.Balance < 0:
			return fmt.Errorf("%w: negative balance", ErrInvalid)
		}
		seen[sub.SubMchID] = true
	}
	return nil
}

func cloneSubMerchants(subs []SubMerchant) []SubMerchant {
	out := slices.Clone(subs)
	for i := range out {
		out[i].SubAppIDs, out[i].Balance = slices.Clone(out[i].SubAppIDs), copyOf(out[i].Balance)
	}
	return out
}

// keptSubMerchants keeps the rights and the balances of the state file.
func keptSubMerchants(existing, wanted []SubMerchant) []SubMerchant {
	out := cloneSubMerchants(wanted)
	for i := range out {
		for _, old := range existing {
			if old.SubMchID == out[i].SubMchID {
				out[i].RefundRight, out[i].RefundRevoked, out[i].Dissolved = old.RefundRight, old.RefundRevoked, old.Dissolved
				out[i].Balance = old.Balance
			}
		}
	}
	return out
}

// subMerchant returns a sub merchant; nil if there is no relation with it.
func (m *merchant) subMerchant(subMchID string) *SubMerchant {
	for i := range m.SubMerchants {
		if m.SubMerchants[i].SubMchID == subMchID {
			return &m.SubMerchants[i]
		}
	}
	return nil
}

// checkParties checks that a call names who it must: a service provider its sub merchant, an
// ordinary merchant none. An empty appid is not checked, because not every call has one.
func (m *merchant) checkParties(appID, subMchID, subAppID string) error {
	if appID != "" && !slices.Contains(m.AppIDs, appID) {
		return errAppIDMismatch
	}
	provider := len(m.SubMerchants) > 0
	switch {
	case !provider && (subMchID != "" || subAppID != ""):
		return errSubMchForbidden
	case !provider:
		return nil
	case subMchID == "":
		return errSubMchRequired
	case subMchID == m.MchID:
		return errSubMchIsProvider
	}
	sub := m.subMerchant(subMchID)
	switch {
	case sub == nil || sub.Dissolved:
		return errNoRelation
	case subAppID != "" && !slices.Contains(sub.SubAppIDs, subAppID):
		return errSubAppIDMismatch
	}
	return nil
}

// checkRefundRight refuses refunds for which the sub merchant gave no right.
func (m *merchant) checkRefundRight(subMchID string) error {
	sub := m.subMerchant(subMchID)
	switch {
	case subMchID == "" || sub != nil && sub.RefundRight:
		return nil
	case sub != nil && sub.RefundRevoked:
		return errRefundRightRevoked
	}
	return errNoRefundRight
}

// SetRefundRight grants or revokes a provider's right to refund for a sub merchant, as the sub
// merchant does in the merchant platform. It is in force at once.
func (s *Simulator) SetRefundRight(mchID, subMchID string, granted bool) error {
	return s.withSubMerchant(mchID, subMchID, func(sub *SubMerchant) {
		sub.RefundRevoked = !granted && (sub.RefundRight || sub.RefundRevoked)
		sub.RefundRight = granted
	})
}

// SetRelation dissolves the relation between a provider and a sub merchant, or restores it.
func (s *Simulator) SetRelation(mchID, subMchID string, exists bool) error {
	return s.withSubMerchant(mchID, subMchID, func(sub *SubMerchant) { sub.Dissolved = !exists })
}

// SetSubBalance sets the balance of a sub merchant; nil is unlimited.
func (s *Simulator) SetSubBalance(mchID, subMchID string, balance *int64) error {
	if balance != nil && *balance < 0 {
		return fmt.Errorf("%w: negative balance", ErrInvalid)
	}
	return s.withSubMerchant(mchID, subMchID, func(sub *SubMerchant) { sub.Balance = copyOf(balance) })
}

func (s *Simulator) withSubMerchant(mchID, subMchID string, what func(*SubMerchant)) error {
	return s.change(func() error {
		m := s.store.merchants[mchID]
		if m == nil || m.subMerchant(subMchID) == nil {
			return fmt.Errorf("sub merchant %s of %s: %w", subMchID, mchID, ErrNotFound)
		}
		what(m.subMerchant(subMchID))
		s.store.saveMerchant(m)
		return nil
	})
}
