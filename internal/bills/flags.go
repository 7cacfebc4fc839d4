package bills

import "slices"

// Flag is something about a bill that a person should know.
type Flag string

// The flags.
const (
	// FlagFreeTextAmbiguous: a text of the merchant contains the separator. Numbers and amounts were read from both
	// ends of the row; the text was not read.
	FlagFreeTextAmbiguous Flag = "free-text-ambiguous"
	// FlagMissingBacktick: a value does not begin with a backtick.
	FlagMissingBacktick Flag = "missing-backtick"
	// FlagUnknownColumn: the bill has an unknown column, which is ignored.
	FlagUnknownColumn Flag = "unknown-column"
	// FlagForeignCurrency: a row is not in CNY.
	FlagForeignCurrency Flag = "foreign-currency"
	// FlagDuplicateRow: a payment or a refund is listed twice.
	FlagDuplicateRow Flag = "duplicate-row"
	// FlagRowOutsideDay: a row is of another day than the bill, so the bill is not complete.
	FlagRowOutsideDay Flag = "row-outside-day"
	// FlagOtherMerchant: a row is of another merchant number, so the bill is not this merchant's.
	FlagOtherMerchant Flag = "other-merchant"
)

// flagSet is a set of flags.
type flagSet []Flag

func (s *flagSet) add(flag Flag) {
	if at, found := slices.BinarySearch(*s, flag); !found {
		*s = slices.Insert(*s, at, flag)
	}
}

// Lines are lines of a file; only the first ones are listed.
type Lines struct {
	Count int
	First []int
}

// mostLines limits the list: a broken file may have as many bad lines as bytes.
const mostLines = 100

func (l *Lines) add(number int) {
	l.Count++
	if len(l.First) < mostLines {
		l.First = append(l.First, number)
	}
}
