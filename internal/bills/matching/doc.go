// Package matching compares a trade bill with what the operator knows of the same day. It is pure:
// it reads no clock, and sends nothing.
//
// Both directions count. Money in the bill that nobody here knows is a difference, and so is money
// here that the bill does not have:
//
//	matcher := matching.New(matching.Account{MchID: mchID}, day, matching.Rules{Foreign: foreign})
//	for order := range paidThatDay { matcher.AddOrder(order) }
//	for refund := range acceptedAround { matcher.AddRefund(refund) }
//	matcher.Begin(matching.TradeBill)
//	for { row, err := bill.Next(); ...; matcher.Row(matching.TradeBill, row) }
//	result := matcher.Result()
//	verdict := result.Verdict(bill.Report().Checks)
//
// The result is the same whatever the order of the rows. Every row of the account lands in exactly
// one of matched, foreign and differing, so their sums are that of the bill.
//
// # Memory
//
// Held are the orders and refunds that were added, about 200 bytes each, and 16 bytes for each row
// that is not one of them. Rows are not held. Add those of the day (and refunds near its midnights);
// what a row mentions beside them is looked up one by one (Rules.Find).
//
// # Tenants
//
// A service provider's bill has the rows of all its sub merchants. A Matcher sees those of its own
// account only: rows of others are not counted, summed or shown.
package matching
