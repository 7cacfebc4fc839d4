// Package bills reads the daily bills of WeChat Pay: the trade bill (交易账单) and the fund-flow bill
// (资金账单). Both protocols give the same files.
//
// A bill is read as a stream, one row at a time, and never held as a whole:
//
//	body, err := bills.Open(download, bills.Expected{MaxBytes: limit, SHA1: hash})
//	bill, err := bills.ReadTrade(body, bills.Of{Day: day, MchID: mchID})
//	for {
//		row, err := bill.Next() // io.EOF after the last row of an accepted bill
//		...
//	}
//	report := bill.Report()
//
// The summary and the hash come last, so results computed from the rows count only after io.EOF. A bill that can't be
// accepted ends with *Refused instead. A bill that was accepted but has rows that could not be read, or does not add
// up, is not Complete: it may show differences, and can never show that there are none.
//
// Money is a whole number of fen, read from decimal text without floating point; fees have five decimals. Rows keep no
// data about the payer or the goods, and no text of the merchant.
package bills
