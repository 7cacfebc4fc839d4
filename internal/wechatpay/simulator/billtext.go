package simulator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	firstColumns = []string{"交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型", "交易状态", "付款银行",
		"货币种类", "应结订单金额", "代金券金额"}
	refundTimes   = []string{"退款申请时间", "退款成功时间"}
	refundColumns = []string{"微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态"}
)

// columnsOf returns the column names of a trade bill.
func columnsOf(kind billKind) []string {
	switch kind {
	case billSuccess:
		return slices.Concat(firstColumns, []string{"商品名称", "商户数据包", "手续费", "费率", "订单金额", "费率备注"})
	case billRefund:
		return slices.Concat(firstColumns, refundTimes, refundColumns, []string{"商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额", "费率备注"})
	case billRecharge:
		return slices.Concat(firstColumns, refundTimes, refundColumns, []string{"商品名称", "商户数据包", "返还手续费", "费率", "订单金额", "申请退款金额"})
	default:
		return slices.Concat(firstColumns, refundColumns, []string{"商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额", "费率备注"})
	}
}

// tradeBill writes the bill of payments and refunds, and fails if there are none.
func (s *Simulator) tradeBill(b billOrder, end time.Time) ([]byte, error) {
	rows := s.rowsOf(b, end)
	if len(rows) == 0 {
		return nil, errNoBill
	}
	columns := columnsOf(b.kind)
	var text strings.Builder
	text.WriteString("\uFEFF" + strings.Join(columns, ",") + "\r\n")
	var settled, refunds, coupons, fees, orders, requested int64
	for _, row := range rows {
		values := row.values(end)
		var line []string
		for _, column := range columns {
			line = append(line, "`"+values[column])
		}
		text.WriteString(strings.Join(line, ",") + "\r\n")
		if row.refund == nil {
			settled, orders = settled+row.order.Payment.settled(), orders+row.order.Payment.TotalFee
			fees += feeOf(row.order.Payment.settled())
		} else {
			back := refunded(row.refund, row.order)
			refunds, requested = refunds+back, requested+row.refund.RefundFee
			coupons += row.refund.RefundFee - cashPart(row.refund, row.order)
			fees -= feeOf(back)
		}
	}
	text.WriteString("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n")
	fmt.Fprintf(&text, "`%d,`%s,`%s,`%s,`%s,`%s,`%s\r\n", len(rows), inYuan(settled), inYuan(refunds), inYuan(coupons), inYuan(fees)+"000", inYuan(orders), inYuan(requested))
	return []byte(text.String()), nil
}

// values are a row by column.
func (row tradeRow) values(cut time.Time) map[string]string {
	o := row.order
	values := map[string]string{
		"交易时间": inBeijing(o.Payment.Time), "公众账号ID": o.AppID, "商户号": o.MchID, "特约商户号": cmp.Or(o.SubMchID, "0"), "设备号": billText(o.DeviceInfo),
		"微信订单号": o.Payment.TransactionID, "商户订单号": o.OutTradeNo, "用户标识": o.Payment.OpenID, "交易类型": o.TradeType, "交易状态": "SUCCESS",
		"付款银行": o.Payment.BankType, "货币种类": o.Payment.FeeType, "应结订单金额": inYuan(o.Payment.settled()), "代金券金额": inYuan(o.Payment.couponSum()),
		"微信退款单号": "0", "商户退款单号": "0", "退款金额": "0.00", "充值券退款金额": "0.00", "商品名称": billText(o.Description), "商户数据包": billText(o.Attach),
		"手续费": inYuan(feeOf(o.Payment.settled())) + "000", "费率": "0.60%", "订单金额": inYuan(o.Payment.TotalFee), "申请退款金额": "0.00",
	}
	r := row.refund
	if r == nil {
		return values
	}
	back := refunded(r, o)
	maps.Copy(values, map[string]string{
		"交易时间": inBeijing(r.AcceptTime), "交易状态": "REFUND", "应结订单金额": "0.00", "代金券金额": "0.00", "订单金额": "0.00",
		"退款申请时间": inBeijing(r.AcceptTime), "微信退款单号": r.RefundID, "商户退款单号": r.OutRefundNo, "退款金额": inYuan(back),
		"充值券退款金额": inYuan(r.RefundFee - cashPart(r, o)), "退款类型": "ORIGINAL", "退款状态": r.statusAt(cut), "申请退款金额": inYuan(r.RefundFee),
		"手续费": inYuan(-feeOf(back)) + "000", "返还手续费": inYuan(feeOf(back)) + "000",
	})
	if r.statusAt(cut) == "SUCCESS" {
		values["退款成功时间"] = inBeijing(*r.SuccessTime)
	}
	return values
}

func inBeijing(at time.Time) string { return at.In(beijing).Format(readableTime) }

// billText escapes what a merchant wrote. Commas and backticks stay.
func billText(text string) string {
	return strings.NewReplacer("\x01", " ", "\r", `\r`, "\n", `\n`).Replace(text)
}

func inYuan(fen int64) string {
	if fen < 0 {
		return "-" + inYuan(-fen)
	}
	return fmt.Sprintf("%d.%02d", fen/100, fen%100)
}

// movement is a row of a fund-flow bill.
type movement struct {
	at                 time.Time
	number, name, kind string
	voucher            string
	amount             int64 // negative leaves the account
}

// openingBalance is what every account has in the morning. The simulator keeps no account of its
// own: payments settle later, and refunds draw on Merchant.Balance.
const openingBalance = 100_000_000_00

// fundBill writes the movements of the basic account, and fails if there are none.
func (s *Simulator) fundBill(b billOrder, end time.Time) ([]byte, error) {
	var movements []movement
	for _, row := range s.rowsOf(b, end) {
		// Money of a sub merchant moves in its own account.
		if row.order.SubMchID == "" && b.account == "BASIC" {
			movements = append(movements, row.movements()...)
		}
	}
	if len(movements) == 0 {
		return nil, errNoBill
	}
	slices.SortStableFunc(movements, func(a, b movement) int { return a.at.Compare(b.at) })
	var text strings.Builder
	text.WriteString("\uFEFF记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n")
	balance := int64(openingBalance)
	var in, out, inSum, outSum int64
	for i, m := range movements {
		balance += m.amount
		direction, amount := "收入", m.amount
		if amount < 0 {
			direction, amount = "支出", -amount
			out, outSum = out+1, outSum+amount
		} else {
			in, inSum = in+1, inSum+amount
		}
		text.WriteString("`" + strings.Join([]string{
			inBeijing(m.at), m.number, "F" + b.day.Format("20060102") + strconv.Itoa(i), m.name, m.kind, direction, inYuan(amount), inYuan(balance), "system", "", m.voucher,
		}, ",`") + "\r\n")
	}
	text.WriteString("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n")
	fmt.Fprintf(&text, "`%d,`%d,`%s,`%d,`%s\r\n", in+out, in, inYuan(inSum), out, inYuan(outSum))
	return []byte(text.String()), nil
}

// movements are what a payment or a refund does to the account.
func (row tradeRow) movements() []movement {
	o, r := row.order, row.refund
	var all []movement
	if r == nil {
		all = []movement{
			{o.Payment.Time, o.Payment.TransactionID, "交易", "交易", o.OutTradeNo, o.Payment.settled()},
			{o.Payment.Time, o.Payment.TransactionID, "交易", "扣除交易手续费", o.OutTradeNo, -feeOf(o.Payment.settled())},
		}
	} else {
		back := refunded(r, o)
		all = []movement{
			{r.AcceptTime, r.RefundID, "退款", "退款", r.OutRefundNo, -back},
			{r.AcceptTime, r.RefundID, "退款", "退还交易手续费", r.OutRefundNo, feeOf(back)},
		}
	}
	return slices.DeleteFunc(all, func(m movement) bool { return m.amount == 0 })
}
