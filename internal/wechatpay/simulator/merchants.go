package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Errors of the methods that act as payers, staff and tests.
var (
	ErrNotFound      = errors.New("not found")
	ErrInvalid       = errors.New("invalid")
	ErrOrderPaid     = errors.New("the order is paid already")
	ErrOrderClosed   = errors.New("the order is closed")
	ErrOrderExpired  = errors.New("the order has expired")
	ErrPrepayExpired = errors.New("the prepay_id has expired")
)

var (
	mchIDFormat = regexp.MustCompile(`^\d{8,10}$`)
	keyFormat   = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)
)

func checkMerchant(m Merchant) error {
	switch {
	case !mchIDFormat.MatchString(m.MchID):
		return fmt.Errorf("%w: a mch_id is 8 to 10 digits", ErrInvalid)
	case m.APIKey == "" && m.APIV3Key == "":
		return fmt.Errorf("%w: merchant %s has neither an API key nor an APIv3 key", ErrInvalid, m.MchID)
	case m.APIKey != "" && !keyFormat.MatchString(m.APIKey), m.APIV3Key != "" && !keyFormat.MatchString(m.APIV3Key):
		return fmt.Errorf("%w: an API key is 32 letters and digits", ErrInvalid)
	case len(m.AppIDs) == 0:
		return fmt.Errorf("%w: merchant %s has no appid", ErrInvalid, m.MchID)
	case m.Balance != nil && *m.Balance < 0:
		return fmt.Errorf("%w: negative balance", ErrInvalid)
	case !m.Verification.known():
		return fmt.Errorf("%w: verification %q", ErrInvalid, m.Verification)
	case m.PublicKeyShare < 0 || m.PublicKeyShare > 1:
		return fmt.Errorf("%w: public_key_share is from 0 to 1", ErrInvalid)
	}
	for _, certificate := range m.Certificates {
		if _, err := readMerchantCertificate([]byte(certificate)); err != nil {
			return fmt.Errorf("%w: certificate of merchant %s: %w", ErrInvalid, m.MchID, err)
		}
	}
	return checkSubMerchants(m)
}

// AddMerchant adds a merchant or replaces its settings. Its counters and blocks stay.
func (s *Simulator) AddMerchant(m Merchant) error {
	if err := checkMerchant(m); err != nil {
		return err
	}
	return s.change(func() error {
		s.putMerchant(m)
		return nil
	})
}

// meetMerchant adds a merchant from the options. A merchant in the state file keeps what may have
// changed since: its keys, its balance, its verification and the rights of its provider.
func (s *Simulator) meetMerchant(m Merchant) error {
	if err := checkMerchant(m); err != nil {
		return err
	}
	return s.change(func() error {
		if existing := s.store.merchants[m.MchID]; existing != nil {
			m.APIKey, m.Balance = cmp.Or(existing.APIKey, m.APIKey), existing.Balance
			m.APIV3Key = cmp.Or(existing.APIV3Key, m.APIV3Key)
			m.SubMerchants = keptSubMerchants(existing.SubMerchants, m.SubMerchants)
			if existing.Verification != "" {
				m.Verification, m.PublicKeyShare = existing.Verification, existing.PublicKeyShare
			}
		}
		s.putMerchant(m)
		return nil
	})
}

func (s *Simulator) putMerchant(m Merchant) {
	existing := s.store.merchants[m.MchID]
	if existing == nil {
		existing = &merchant{}
	}
	m.AppIDs = slices.Clone(m.AppIDs)
	m.Currencies = slices.Clone(m.Currencies)
	m.Certificates = slices.Clone(m.Certificates)
	m.SubMerchants = cloneSubMerchants(m.SubMerchants)
	m.Balance = copyOf(m.Balance)
	existing.Merchant, existing.parsed = m, nil
	s.store.saveMerchant(existing)
}

// SetAPIKey resets a merchant's key, as in the merchant platform: from now on WeChat Pay signs with
// the new key and rejects the old one.
func (s *Simulator) SetAPIKey(mchID, key string) error {
	if !keyFormat.MatchString(key) {
		return fmt.Errorf("%w: an API key is 32 letters and digits", ErrInvalid)
	}
	return s.withMerchant(mchID, func(m *merchant) { m.APIKey = key })
}

// RotateAPIKey resets a merchant's key to a random one.
func (s *Simulator) RotateAPIKey(mchID string) (key string, err error) {
	key = randomText(32)
	return key, s.SetAPIKey(mchID, key)
}

// SetAPIV3Key resets a merchant's APIv3 key: from now on callbacks and platform certificates are
// encrypted with the new key.
func (s *Simulator) SetAPIV3Key(mchID, key string) error {
	if !keyFormat.MatchString(key) {
		return fmt.Errorf("%w: an APIv3 key is 32 letters and digits", ErrInvalid)
	}
	return s.withMerchant(mchID, func(m *merchant) { m.APIV3Key = key })
}

// SetBalance sets the balance available for refunds; nil is unlimited.
func (s *Simulator) SetBalance(mchID string, balance *int64) error {
	if balance != nil && *balance < 0 {
		return fmt.Errorf("%w: negative balance", ErrInvalid)
	}
	return s.withMerchant(mchID, func(m *merchant) { m.Balance = copyOf(balance) })
}

func (s *Simulator) withMerchant(mchID string, what func(*merchant)) error {
	return s.change(func() error {
		m := s.store.merchants[mchID]
		if m == nil {
			return fmt.Errorf("merchant %s: %w", mchID, ErrNotFound)
		}
		what(m)
		s.store.saveMerchant(m)
		return nil
	})
}

// mayOrderIn reports whether a merchant may use a currency.
func (m *merchant) mayOrderIn(currency string) bool {
	if len(m.Currencies) == 0 {
		return currency == "CNY"
	}
	return slices.Contains(m.Currencies, currency)
}
