package bills

import (
	"hash/maphash"
	"strings"
)

// NumberSet remembers which numbers it has seen, in 16 bytes each: a hash of 128 bits with a random seed, so collisions
// are negligible.
type NumberSet struct {
	seeds [2]maphash.Seed
	seen  map[[2]uint64]struct{}
}

// NewNumberSet returns an empty set.
func NewNumberSet() *NumberSet {
	return &NumberSet{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		seen:  map[[2]uint64]struct{}{},
	}
}

// Add reports whether the number is new, and remembers it.
func (s *NumberSet) Add(number string) (isNew bool) {
	key := [2]uint64{maphash.String(s.seeds[0], number), maphash.String(s.seeds[1], number)}
	before := len(s.seen)
	s.seen[key] = struct{}{}
	return len(s.seen) > before
}

// longestNumber is the length of WeChat's longest number (资金流水单号).
const longestNumber = 128

// isNumber reports whether a text can be the number of an order or a refund: letters, digits and _-|*@, as WeChat Pay
// documents it.
func isNumber(text string) bool {
	if text == "" || len(text) > longestNumber {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') && strings.IndexByte("_-|*@", c) < 0 {
			return false
		}
	}
	return true
}

// isMchID reports whether a text is a merchant number.
func isMchID(text string) bool { return len(text) >= 8 && len(text) <= 10 && isDigits(text) }

// isCurrency reports whether a text is a currency like CNY.
func isCurrency(text string) bool {
	return len(text) == 3 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// present returns an optional value. WeChat writes 0 or nothing if there is none.
func present(text string) string {
	if text == "0" {
		return ""
	}
	return text
}
