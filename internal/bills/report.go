package bills

import (
	"fmt"
	"slices"
	"strings"
)

// TradeReport is the result of a whole trade bill. It is final once Next has returned io.EOF.
type TradeReport struct {
	Format Format
	Sums
	// HasRefunds reports whether the bill has columns for refunds.
	HasRefunds bool
	// BySub has the sums of each sub merchant, and under "" those of the merchant number itself.
	BySub      map[string]Sums
	ByCurrency map[string]Sums
	// UnusualFees counts payments whose fee is not the settled amount times the rate. Contracts and promotions can be
	// the reason.
	UnusualFees int
	Checks
}

// Checks show whether a bill can be relied on.
type Checks struct {
	// Rejected are lines that could not be used.
	Rejected Lines
	// Flags are sorted.
	Flags []Flag
	// SummaryOK reports whether every line was used and the rows add up to the summary.
	SummaryOK bool
	// SummaryDifferences are the columns in which they don't.
	SummaryDifferences []string
}

// Complete reports whether the bill has all rows of the day and of this merchant, and no others. A bill that is not
// complete can show differences, but never that there are none.
func (c Checks) Complete() bool {
	return c.SummaryOK && !slices.Contains(c.Flags, FlagRowOutsideDay) && !slices.Contains(c.Flags, FlagOtherMerchant)
}

// Problems returns why the bill is not complete; empty if it is. It contains no data of a row.
func (c Checks) Problems() string {
	var problems []string
	if c.Rejected.Count > 0 {
		problems = append(problems, fmt.Sprintf("%d lines of it can't be read (the first one is line %d)", c.Rejected.Count, c.Rejected.First[0]))
	}
	if len(c.SummaryDifferences) > 0 {
		problems = append(problems, "its rows do not add up to its summary ("+strings.Join(c.SummaryDifferences, ", ")+")")
	}
	if slices.Contains(c.Flags, FlagRowOutsideDay) {
		problems = append(problems, "it has rows of another day")
	}
	if slices.Contains(c.Flags, FlagOtherMerchant) {
		problems = append(problems, "it has rows of another merchant number")
	}
	return strings.Join(problems, "; ")
}

// Report returns the sums of the rows that were read, and whether the summary agrees.
func (b *TradeBill) Report() TradeReport {
	report := TradeReport{
		Format: b.format, Sums: b.totals.all, HasRefunds: b.columns.refunded >= 0,
		BySub: copied(b.totals.bySub), ByCurrency: copied(b.totals.byCurrency), UnusualFees: b.unusual,
	}
	report.Checks = b.sheet.checks(b.summed(report))
	return report
}

// summed returns the sums that the summary must have. The summary of a bill with payments only may lack the columns for
// refunds, or have zeros there.
func (b *TradeBill) summed(report TradeReport) []summed {
	settlement := b.format == FormatSettlement
	return []summed{
		{summaryCount, int64(report.Rows()), readCount, true},
		{summarySettled, report.Settled, ParseFen, true},
		{summaryRefunded, report.Refunded, ParseFen, report.HasRefunds},
		{summaryCouponRefund, report.CouponRefunded, ParseFen, report.HasRefunds},
		{summaryFee, int64(report.Fee), readFee, true},
		{summaryOrder, report.Order, ParseFen, settlement},
		{summaryRequested, report.Requested, ParseFen, settlement && report.HasRefunds},
	}
}

// checks compares the rows with the summary.
func (s *sheet) checks(sums []summed) Checks {
	differ := s.summaryDifferences(sums)
	return Checks{
		Rejected: s.rejected, Flags: slices.Clone(s.flags),
		SummaryOK: s.rejected.Count == 0 && len(differ) == 0, SummaryDifferences: differ,
	}
}
