package bills

import (
	"io"
	"strings"
	"time"
)

const (
	columnBookedTime = "记账时间"
	columnBusinessNo = "微信支付业务单号"
	columnFlowNo     = "资金流水单号"
	columnName       = "业务名称"
	columnType       = "业务类型"
	columnDirection  = "收支类型"
	columnAmount     = "收支金额(元)"
	columnBalance    = "账户结余(元)"
	columnRemark     = "备注"
	columnVoucher    = "业务凭证号"

	summaryFlows     = "资金流水总笔数"
	summaryInCount   = "收入笔数"
	summaryInAmount  = "收入金额"
	summaryOutCount  = "支出笔数"
	summaryOutAmount = "支出金额"
)

var fundBill = kind{
	known: []string{
		columnBookedTime, columnBusinessNo, columnFlowNo, columnName, columnType, columnDirection, columnAmount,
		columnBalance, "资金变更提交申请人", columnRemark, columnVoucher,
	},
	firstText: columnRemark, lastText: columnVoucher,
	summaryFirst: summaryFlows,
}

// directions say whether the money comes in or goes out.
var directions = map[string]bool{"收入": true, "支出": false}

// FundRow is a movement of an account.
type FundRow struct {
	Line int
	Time time.Time
	// BusinessNo is the transaction id or the refund id.
	BusinessNo string
	FlowNo     string
	// Name and Type describe the movement; WeChat adds new ones.
	Name, Type string
	// Income reports whether the balance grew.
	Income bool
	// Amount is never negative. Balance is that of the account after the movement.
	Amount, Balance int64
}

// Signed returns the amount, negative if it left the account.
func (r FundRow) Signed() int64 {
	if r.Income {
		return r.Amount
	}
	return -r.Amount
}

// FundBill reads a fund-flow bill.
type FundBill struct {
	sheet  *sheet
	of     Of
	at     fundColumns
	sums   FundSums
	byType map[string]*int64
	chain  balanceChain
}

type fundColumns struct {
	time, businessNo, flowNo, name, kind, direction, amount, balance int
}

// FundSums are the totals of a fund-flow bill.
type FundSums struct {
	InCount, OutCount   int
	InAmount, OutAmount int64
}

// ReadFund starts to read a fund-flow bill, which does not contain a merchant number.
func ReadFund(text io.Reader, of Of) (*FundBill, error) {
	s, err := openSheet(text, fundBill)
	if err != nil {
		return nil, err
	}
	l := s.layout
	missing := l.missing(columnBookedTime, columnBusinessNo, columnFlowNo, columnName, columnType, columnDirection, columnAmount, columnBalance)
	if len(missing) > 0 {
		return nil, refuse(ReasonUnknownFormat, "it is no fund-flow bill that is known: it lacks the columns "+strings.Join(missing, ", "))
	}
	return &FundBill{sheet: s, of: of, byType: map[string]*int64{}, at: fundColumns{
		time: l.index(columnBookedTime), businessNo: l.index(columnBusinessNo), flowNo: l.index(columnFlowNo), name: l.index(columnName),
		kind: l.index(columnType), direction: l.index(columnDirection), amount: l.index(columnAmount), balance: l.index(columnBalance),
	}}, nil
}

// Next returns the next row, as TradeBill.Next does.
func (b *FundBill) Next() (FundRow, error) {
	for {
		cells, flag, err := b.sheet.row()
		if err != nil {
			return FundRow{}, err
		}
		row, ok := b.read(cells)
		if !ok || !b.add(row) {
			b.sheet.reject()
			continue
		}
		if flag != "" {
			b.sheet.flags.add(flag)
		}
		if b.of.Day != "" && DayOf(row.Time) != b.of.Day {
			b.sheet.flags.add(FlagRowOutsideDay)
		}
		b.chain.add(row)
		return row, nil
	}
}

func (b *FundBill) read(cells []string) (FundRow, bool) {
	at, timed := parseSecond(cells[b.at.time])
	income, directed := directions[cells[b.at.direction]]
	row := FundRow{
		Line: b.sheet.lines.number, Time: at, BusinessNo: cells[b.at.businessNo], FlowNo: cells[b.at.flowNo],
		Name: cells[b.at.name], Type: cells[b.at.kind], Income: income,
	}
	var known, balanced bool
	row.Amount, known = ParseFen(cells[b.at.amount])
	row.Balance, balanced = ParseFen(cells[b.at.balance])
	return row, timed && directed && known && balanced && row.Amount >= 0 && row.Balance >= 0 && isNumber(row.BusinessNo) && isNumber(row.FlowNo)
}

// add adds a row to the sums. If a sum would be too large, it changes nothing and returns false.
func (b *FundBill) add(row FundRow) bool {
	count, amount := &b.sums.OutCount, &b.sums.OutAmount
	if row.Income {
		count, amount = &b.sums.InCount, &b.sums.InAmount
	}
	sum, fits := addAmounts(*amount, row.Amount)
	if !fits {
		return false
	}
	*amount = sum
	*count++
	// If two sums fit and one of them is negative, each partial sum fits as well.
	if of, found := b.byType[row.Type]; found {
		*of += row.Signed()
	} else {
		signed := row.Signed()
		b.byType[strings.Clone(row.Type)] = &signed
	}
	return true
}

// FundReport is the result of a whole fund-flow bill. It is final once Next has returned io.EOF.
type FundReport struct {
	FundSums
	// ByType are the signed sums of each type of movement.
	ByType map[string]int64
	// Opening and Closing are the balances before the first and after the last movement; nil if
	// there was none.
	Opening, Closing *int64
	// BalanceOK reports whether each balance follows from the one before. If it does not, a
	// movement is missing.
	BalanceOK bool
	Checks
}

// Rows returns how many movements there are.
func (s FundSums) Rows() int { return s.InCount + s.OutCount }

// Complete reports whether the bill has all movements of the day.
func (r FundReport) Complete() bool { return r.Checks.Complete() && r.BalanceOK }

// Report returns what the rows that were read add up to.
func (b *FundBill) Report() FundReport {
	report := FundReport{FundSums: b.sums, ByType: make(map[string]int64, len(b.byType))}
	for of, sum := range b.byType {
		report.ByType[of] = *sum
	}
	report.Opening, report.Closing, report.BalanceOK = b.chain.check()
	report.Checks = b.sheet.checks([]summed{
		{summaryFlows, int64(report.Rows()), readCount, true},
		{summaryInCount, int64(report.InCount), readCount, true},
		{summaryInAmount, report.InAmount, ParseFen, true},
		{summaryOutCount, int64(report.OutCount), readCount, true},
		{summaryOutAmount, report.OutAmount, ParseFen, true},
	})
	return report
}
