package simulator

import (
	"cmp"
	"net/http"
	"strings"
)

// words are what the cashier says, in a language.
type words struct {
	Code, OtherName                                                string
	Title, Simulated                                               string
	Scan, ScanHint, OpenIt, Camera                                 string
	OpenOrders, NoOpenOrders, EndedOrders                          string
	Number, Description, Amount, Shop, Type, State                 string
	Pay, Cancel, PayLate, LateHint                                 string
	Paid, Cancelled, Closed, Expired, PrepayExpired, AwaitsPayment string
	BackToShop, BackToList, NoOrder, LinkTooOld                    string
}

var chinese = words{
	Code: "zh-CN", OtherName: "English",
	Title: "模拟收银台", Simulated: "这是微信支付模拟器，没有真钱。",
	Scan: "扫码或粘贴", ScanHint: "二维码内容（weixin://…）、prepay_id 或 H5 链接", OpenIt: "打开", Camera: "用摄像头扫码",
	OpenOrders: "待付款", NoOpenOrders: "没有待付款的订单。", EndedOrders: "已结束",
	Number: "订单号", Description: "商品", Amount: "金额", Shop: "商户", Type: "支付方式", State: "状态",
	Pay: "付款", Cancel: "取消", PayLate: "仍然付款（迟到的付款）", LateHint: "订单已不能付款。真实的微信支付不会再收款，但商户报告过迟到的付款。",
	Paid: "已付款", Cancelled: "已取消付款", Closed: "已关闭", Expired: "已过期", PrepayExpired: "prepay_id 已过期", AwaitsPayment: "待付款",
	BackToShop: "返回商户", BackToList: "所有订单", NoOrder: "没有这个订单。", LinkTooOld: "这个 H5 链接已过期（5 分钟），请商户重新下单。",
}

var english = words{
	Code: "en", OtherName: "中文",
	Title: "Simulated cashier", Simulated: "This is the WeChat Pay simulator. No money is moved.",
	Scan: "Scan or paste", ScanHint: "what a payment code says (weixin://...), a prepay_id or an H5 link", OpenIt: "Open", Camera: "Scan with the camera",
	OpenOrders: "To be paid", NoOpenOrders: "No order waits for a payment.", EndedOrders: "Ended",
	Number: "Number", Description: "Goods", Amount: "Amount", Shop: "Shop", Type: "Type", State: "State",
	Pay: "Pay", Cancel: "Cancel", PayLate: "Pay all the same (too late)", LateHint: "This order can't be paid any more. WeChat Pay rules such a payment out, but shops report them.",
	Paid: "Paid", Cancelled: "Payment cancelled", Closed: "Closed", Expired: "Expired", PrepayExpired: "The prepay_id has expired", AwaitsPayment: "Waits for the payment",
	BackToShop: "Back to the shop", BackToList: "All orders", NoOrder: "There is no such order.", LinkTooOld: "This H5 link is older than five minutes: ask the shop for another one.",
}

const languageCookie = "lang"

// languageOf is what was chosen on a page, or else what the browser prefers.
func languageOf(r *http.Request) words {
	chosen := r.URL.Query().Get("lang")
	if cookie, err := r.Cookie(languageCookie); err == nil && chosen == "" {
		chosen = cookie.Value
	}
	if strings.HasPrefix(cmp.Or(chosen, r.Header.Get("Accept-Language")), "zh") {
		return chinese
	}
	return english
}

// StateText describes the state of an order.
func (w words) StateText(p payable) string {
	switch p.Refusal {
	case "paid":
		return w.Paid
	case "closed":
		return w.Closed
	case "expired":
		return w.Expired
	case "prepay":
		return w.PrepayExpired
	}
	return w.AwaitsPayment
}
