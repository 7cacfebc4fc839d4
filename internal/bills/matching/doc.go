// Package matching compares a trade bill with the operator's records of the same day. It is pure: it reads no clock,
// and sends nothing.
//
// It works in both directions. Money in the bill that the operator does not know is a difference, and so is money that
// the operator knows and the bill does not have:
//
//	matcher := matching.New(matching.Account{MchID: mchID}, day, matching.Rules{Foreign: foreign})
//	for order := range paidThatDay { matcher.AddOrder(order) }
//	for refund := range acceptedAround { matcher.AddRefund(refund) }
//	matcher.Begin(matching.TradeBill)
//	for { row, err := bill.Next(); ...; matcher.Row(matching.TradeBill, row) }
//	result := matcher.Result()
//	verdict := result.Verdict(bill.Report().Checks)
//
// The result does not depend on the order of the rows. Every row of the account counts as exactly one of matched,
// foreign and differing, so their sums are the sum of the bill.
//
// # Memory
//
// The Matcher holds the orders and refunds that were added, about 200 bytes each, and 16 bytes for each row that is not
// one of them. It does not hold rows. Add the objects of the day, and refunds near its midnights; others that a row
// names are looked up one by one (Rules.Find).
//
// # Tenants
//
// A service provider's bill has the rows of all its sub merchants. A Matcher uses only those of its own account: rows
// of others are not counted, summed or shown.
package matching
