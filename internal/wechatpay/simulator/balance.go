package simulator

// Refunds draw on the balance of whoever received the payment: the merchant, or in service-provider
// mode the sub merchant.

// canPay reports whether the balance suffices for a refund.
func (m *merchant) canPay(subMchID string, amount int64) bool {
	balance := m.balanceOf(subMchID)
	return *balance == nil || **balance >= amount
}

func (m *merchant) addBalance(subMchID string, amount int64) {
	balance := m.balanceOf(subMchID)
	if *balance != nil {
		sum := **balance + amount
		*balance = &sum
	}
}

// balanceOf returns where a balance is kept. A sub merchant that left has none.
func (m *merchant) balanceOf(subMchID string) **int64 {
	if subMchID == "" {
		return &m.Balance
	}
	if sub := m.subMerchant(subMchID); sub != nil {
		return &sub.Balance
	}
	return new(*int64)
}
