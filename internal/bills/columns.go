package bills

import (
	"slices"
	"strings"
)

// Column names, as WeChat writes them today.
const (
	columnTime         = "交易时间"
	columnAppID        = "公众账号ID"
	columnMchID        = "商户号"
	columnSubMchID     = "特约商户号"
	columnTransaction  = "微信订单号"
	columnOutTradeNo   = "商户订单号"
	columnTradeType    = "交易类型"
	columnState        = "交易状态"
	columnCurrency     = "货币种类"
	columnSettled      = "应结订单金额"
	columnOrder        = "订单金额"
	columnRefundID     = "微信退款单号"
	columnOutRefundNo  = "商户退款单号"
	columnRefunded     = "退款金额"
	columnCouponRefund = "充值券退款金额"
	columnRequested    = "申请退款金额"
	columnRefundStatus = "退款状态"
	columnGoods        = "商品名称"
	columnAttach       = "商户数据包"
	columnFee          = "手续费"
	columnRate         = "费率"

	// columnLegacyTotal replaces both amounts of a payment in bills of merchants that joined before 2018.
	columnLegacyTotal = "总金额"
)

// The columns of the summary of a trade bill.
const (
	summaryCount        = "总交易单数"
	summarySettled      = "应结订单总金额"
	summaryRefunded     = "退款总金额"
	summaryCouponRefund = "充值券退款总金额"
	summaryFee          = "手续费总金额"
	summaryOrder        = "订单总金额"
	summaryRequested    = "申请退款总金额"
)

// kind describes one kind of bill.
type kind struct {
	// known are all columns that WeChat documents or has used. Other columns are ignored, with a flag.
	known []string
	// aliases are older and alternative names of columns, by today's name.
	aliases map[string]string
	// firstText and lastText are the first and last column with text of the merchant, which may contain a separator.
	firstText, lastText string
	// summaryFirst is the first column of the summary.
	summaryFirst   string
	summaryAliases map[string]string
}

var tradeBill = kind{
	known: []string{
		columnTime, columnAppID, columnMchID, columnSubMchID, "设备号", columnTransaction, columnOutTradeNo, "用户标识",
		columnTradeType, columnState, "付款银行", columnCurrency, columnSettled, "代金券金额", "退款申请时间", "退款成功时间",
		columnRefundID, columnOutRefundNo, columnRefunded, columnCouponRefund, "退款类型", columnRefundStatus,
		columnGoods, columnAttach, columnFee, columnRate, columnOrder, columnRequested, "费率备注",
	},
	aliases: map[string]string{
		"子商户号": columnSubMchID, columnLegacyTotal: columnSettled, "微信支付订单号": columnTransaction, "返还手续费": columnFee,
		"代金券或立减优惠金额": "代金券金额", "企业红包金额": "代金券金额",
		"代金券或立减优惠退款金额": columnCouponRefund, "企业红包退款金额": columnCouponRefund,
	},
	firstText: columnGoods, lastText: columnAttach,
	summaryFirst: summaryCount,
	summaryAliases: map[string]string{
		"总交易额": summarySettled, "总退款金额": summaryRefunded,
		"总代金券或立减优惠退款金额": summaryCouponRefund, "总企业红包退款金额": summaryCouponRefund,
	},
}

// layout has the positions of the columns of one bill.
type layout struct {
	names []string
	at    map[string]int
	// repeated is a column that the header names twice; empty if there is none.
	repeated string
}

func newLayout(names []string) layout {
	l := layout{names: names, at: make(map[string]int, len(names))}
	for i, name := range names {
		if _, twice := l.at[name]; twice {
			l.repeated = name
		}
		l.at[name] = i
	}
	return l
}

func (l layout) has(column string) bool {
	_, found := l.at[column]
	return found
}

// missing returns the columns that the bill does not have.
func (l layout) missing(columns ...string) []string {
	return slices.DeleteFunc(slices.Clone(columns), l.has)
}

// index returns the position of a column, or -1.
func (l layout) index(column string) int {
	if i, found := l.at[column]; found {
		return i
	}
	return -1
}

// readHeader splits a line of column names. WeChat writes them without backticks, but some tools add them.
func readHeader(line string) []string {
	names := strings.Split(line, ",")
	for i, name := range names {
		name = strings.TrimSpace(name)
		name = strings.TrimSpace(strings.TrimPrefix(name, "`"))
		names[i] = asciiBrackets.Replace(name)
	}
	return names
}

var asciiBrackets = strings.NewReplacer("（", "(", "）", ")")

// renamed replaces older names by today's.
func renamed(names []string, aliases map[string]string) []string {
	today := slices.Clone(names)
	for i, name := range names {
		if alias, found := aliases[name]; found {
			today[i] = alias
		}
	}
	return today
}
