package page

import "github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"

// dictionary has the page's words in its two languages.
var dictionary = map[string]map[string]string{
	"zh": {
		"title": "订单小票", "html": "zh-CN", "language": "English",
		"queue": "待打印", "none": "还没有已付款的订单", "again": "补打", "since": "自",
		"next": "正在打印", "waits": "排队，前面还有 %d 单", "printed": "已打印", "late": "关单后付款，请先确认", "check": "先核对，可能已发货",
		"printer": "打印机", "robot": "企业微信机器人", "payer": "订阅消息", "sink": "事件转发", "orders": "读取订单",
		"message:sent": "已通知付款人", "message:notSubscribed": "付款人未订阅", "message:noPayer": "没有付款人的 openid", "message:failed": "通知付款人失败",
		event.RefundRequested: "申请退款", event.RefundSucceeded: "已退款", event.RefundFailed: "退款未成",
	},
	"en": {
		"title": "Order desk", "html": "en", "language": "中文",
		"queue": "To be printed", "none": "No paid orders yet", "again": "Print again", "since": "since",
		"next": "Printing", "waits": "Waiting behind %d", "printed": "Printed", "late": "Paid after it was closed: check first", "check": "Check first: it may be shipped already",
		"printer": "Printer", "robot": "WeCom robot", "payer": "Subscribe message", "sink": "Forwarding of events", "orders": "Reading of Orders",
		"message:sent": "payer told", "message:notSubscribed": "payer did not subscribe", "message:noPayer": "no openid of a payer", "message:failed": "payer could not be told",
		event.RefundRequested: "Refund asked for", event.RefundSucceeded: "Refunded", event.RefundFailed: "Not refunded",
	},
}
