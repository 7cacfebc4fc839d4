package words

// entry has a word in both languages. If English is empty, the key is the English word.
type entry struct{ english, chinese string }

// The glossary has one word for each thing, the same as in the documents. Keys are kinds, reasons of conditions, and
// labels.
var glossary = map[string]entry{
	// Kinds.
	"Order": {chinese: "订单"}, "Refund": {chinese: "退款"}, "Merchant": {chinese: "商户"}, "Shipment": {chinese: "发货"}, "Statement": {chinese: "对账单"},
	"MiniProgram": {chinese: "小程序"}, "EventSink": {chinese: "事件接收方"},

	// Labels.
	"Amount": {chinese: "金额"}, "Description": {chinese: "商品描述"}, "Refund reason": {"Reason", "退款原因"}, "Other refunds": {chinese: "其他退款"},
	"Left to refund": {chinese: "可退余额"}, "Requested by": {chinese: "申请人"}, "Requested": {chinese: "申请时间"}, "Decided by": {chinese: "审批人"},
	"Approval message": {"Message", "审批意见"}, "State": {chinese: "状态"}, "Order number": {chinese: "商户订单号"}, "Refund number": {chinese: "商户退款单号"},
	"Transaction": {chinese: "微信支付订单号"}, "WeChat Pay's number": {chinese: "微信支付退款单号"}, "Paid sum": {"Paid", "实付"}, "Trade type": {chinese: "支付方式"},
	"Expires": {chinese: "过期时间"}, "Refunded": {chinese: "已退款"}, "Merchant's namespace": {chinese: "商户的命名空间"}, "Payer": {chinese: "付款人"}, "Bank": {chinese: "付款银行"},
	"Cash": {chinese: "现金支付"}, "Name": {chinese: "名称"}, "Decision": {chinese: "审批"}, "Account": {chinese: "退款入账账户"}, "Logistics": {chinese: "物流方式"},
	"Uploaded at": {"Uploaded", "上传时间"}, "Parcels": {chinese: "包裹"}, "Message": {chinese: "说明"}, "Time": {chinese: "时间"}, "Type": {chinese: "类型"}, "Reason": {chinese: "原因"},
	"Object": {chinese: "对象"}, "Works until": {chinese: "有效期至"}, "File": {chinese: "文件"}, "Day": {chinese: "日期"}, "Bill": {chinese: "微信支付账单"}, "Comparison": {chinese: "比对结果"},
	"Compared": {chinese: "比对时间"}, "Differences": {chinese: "差异"}, "Hash": {chinese: "摘要"}, "Currency": {chinese: "币种"}, "Payments": {chinese: "支付"},
	"Of other systems": {chinese: "其他系统"}, "Fees": {chinese: "手续费"}, "Class": {chinese: "类别"}, "The bill says": {chinese: "账单"}, "Here": {chinese: "本系统"},

	// Headings.
	"Refunds": {chinese: "退款"}, "Shipments": {chinese: "发货"}, "History": {chinese: "经过"}, "Events": {chinese: "事件"}, "Totals": {chinese: "合计"},

	// Verdicts of doctor, and types of events. All have the same width within a language.
	"OK": {"OK  ", "正常"}, "WARN": {"WARN", "注意"}, "FAIL": {"FAIL", "故障"}, "SKIP": {"SKIP", "未查"}, "Normal": {chinese: "正常"}, "Warning": {chinese: "警告"},

	// Logistics.
	"Express": {chinese: "快递"}, "SameCity": {chinese: "同城配送"}, "Virtual": {chinese: "虚拟商品"}, "SelfPickup": {chinese: "自提"},

	// Conditions whose names are shown.
	"Prepared": {chinese: "可以支付"}, "Paid": {chinese: "已支付"}, "Approved": {chinese: "已批准"}, "Accepted": {chinese: "已受理"}, "Succeeded": {chinese: "退款成功"},
	"AbnormalHandled": {chinese: "异常退款已处理"}, "Uploaded": {chinese: "已上传发货信息"},

	// Reasons.
	"Denied": {chinese: "已拒绝"}, "Automatic": {chinese: "自动批准"}, "Recovered": {chinese: "微信支付已有此退款"}, "AwaitingApproval": {chinese: "待审批"},
	"ApprovedUnguarded": {chinese: "批准无效（当时审批策略未生效）"}, "PolicyMissing": {chinese: "审批策略未生效"}, "PolicyNotVerified": {chinese: "审批策略未核实"},
	"Pending": {chinese: "等待处理"}, "AwaitingPayment": {chinese: "待支付"}, "PaidLate": {chinese: "关单后到账"}, "PaidEarlier": {chinese: "创建前已支付"},
	"PaidUnderOtherParameters": {chinese: "以其他参数支付"}, "AlreadyPaid": {chinese: "此前已支付"}, "Closing": {chinese: "正在关单"}, "Closed": {chinese: "已关单"}, "Refund/Closed": {"Closed", "退款已关闭"}, "Statement/Expired": {"Expired", "账单已过期"}, "Expired": {chinese: "已过期"},
	"Rejected": {chinese: "被微信支付拒绝"}, "Refused": {chinese: "被拒绝（未签名，会重试）"}, "NumberInUse": {chinese: "单号已被占用"}, "UsedAtWeChat": {chinese: "微信支付已有此单号"},
	"AmountMismatch": {chinese: "金额不符"}, "Mismatch": {chinese: "与微信支付不一致"}, "UnknownState": {chinese: "未知状态"}, "OutcomeUnknown": {chinese: "结果未知"}, "NotSent": {chinese: "未发出"},
	"RateLimited": {chinese: "被限频"}, "MerchantNotReady": {chinese: "商户不可用"}, "NotPermitted": {chinese: "未获商户允许"}, "WriteRefused": {chinese: "集群拒绝写入"},
	"Processing": {chinese: "退款处理中"}, "Abnormal": {chinese: "退款异常"}, "ExceedsPaid": {chinese: "超过实付金额"}, "InsufficientBalance": {chinese: "商户余额不足"},
	"CertificateMissing": {chinese: "缺少商户证书"}, "OrderNotPaid": {chinese: "订单未支付"}, "OrderNotFound": {chinese: "订单不存在"}, "WaitingForTurn": {chinese: "排队中"},
	"QueryFailed": {chinese: "查询失败"}, "AlreadyShipped": {chinese: "微信已有发货信息"}, "NotYetKnown": {chinese: "微信尚不知此支付"}, "NothingLeft": {chinese: "无法再次发货"},
	"NotShippable": {chinese: "不可发货"}, "MiniProgramNotFound": {chinese: "没有可用的小程序"}, "MiniProgramNotReady": {chinese: "小程序不可用"}, "SecretNotFound": {chinese: "Secret 不存在"},
	"Downloaded": {chinese: "账单已下载"}, "Empty": {chinese: "当日无账单"}, "Waiting": {chinese: "等待账单"}, "Creating": {chinese: "账单生成中"}, "NotAllowed": {chinese: "微信支付不提供此账单"},
	"MerchantNotFound": {chinese: "商户不存在"}, "Incomplete": {chinese: "账单不完整"}, "WeChatUnreachable": {chinese: "无法访问微信支付"}, "Balanced": {chinese: "账目一致"}, "Differs": {chinese: "有差异"},
	"Undecided": {chinese: "待定"}, "NotCompared": {chinese: "未比对"}, "Ready": {chinese: "就绪"},
	"Delivering": {chinese: "正常投递"}, "DeliveryFailed": {chinese: "投递失败"}, "EventsGivenUp": {chinese: "有事件被放弃"},
	"Allowed": {chinese: "可以调用"}, "OrdersPaused": {chinese: "已暂停退款以外的调用"}, "RefundsPaused": {chinese: "已暂停退款"}, "AllPaused": {chinese: "已暂停所有调用"},
	"Guarded": {chinese: "审批策略已生效"}, "Reachable": {chinese: "可以到达"}, "NotChecked": {chinese: "未检查"}, "Recorded": {chinese: "已记账"}, "LedgerUnavailable": {chinese: "账簿数据库不可用"},
	"RefundAccepted": {chinese: "可以退款"}, "NoRight": {chinese: "无退款权限"},
}
