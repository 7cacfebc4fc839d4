package simulator

import (
	"regexp"
	"time"
	"unicode/utf8"
)

// LogisticsType is how goods reach the payer.
type LogisticsType int

// The logistics types.
const (
	Express    LogisticsType = 1
	SameCity   LogisticsType = 2
	Virtual    LogisticsType = 3
	SelfPickup LogisticsType = 4
)

// DeliveryMode says whether everything comes at once.
type DeliveryMode int

// The delivery modes.
const (
	Unified DeliveryMode = 1
	Split   DeliveryMode = 2
)

// Parcel is an entry of shipping_list.
type Parcel struct {
	TrackingNo     string   `json:"tracking_no"`
	ExpressCompany string   `json:"express_company"`
	ItemDesc       string   `json:"item_desc"`
	Contact        *Contact `json:"contact,omitempty"`
}

// Contact is a masked telephone number of who sends or receives a parcel.
type Contact struct {
	ConsignorContact string `json:"consignor_contact,omitempty"`
	ReceiverContact  string `json:"receiver_contact,omitempty"`
}

// uploadRequest is the body of upload_shipping_info.
type uploadRequest struct {
	OrderKey *struct {
		OrderNumberType int    `json:"order_number_type"`
		TransactionID   string `json:"transaction_id"`
		MchID           string `json:"mchid"`
		OutTradeNo      string `json:"out_trade_no"`
	} `json:"order_key"`
	LogisticsType  LogisticsType `json:"logistics_type"`
	DeliveryMode   DeliveryMode  `json:"delivery_mode"`
	IsAllDelivered *bool         `json:"is_all_delivered"`
	ShippingList   []Parcel      `json:"shipping_list"`
	UploadTime     string        `json:"upload_time"`
	Payer          *struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
}

const (
	byOutTradeNo  = 1
	byTransaction = 2

	maxParcels  = 15
	maxItemDesc = 120 // characters
	maxCode     = 128
)

// uploadTimeFormat is RFC 3339 as WeChat reads it: with the letter T and an offset.
var uploadTimeFormat = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$`)

// maskedContact shows the last four digits and hides at least one before them.
var maskedContact = regexp.MustCompile(`^[0-9+*-]*\*[0-9+*-]*\d{4}$`)

// check refuses what is wrong with the call by itself, and returns the upload_time.
func (u uploadRequest) check() (time.Time, error) {
	if err := u.checkKey(); err != nil {
		return time.Time{}, err
	}
	switch {
	case u.LogisticsType < Express || u.LogisticsType > SelfPickup:
		return time.Time{}, refuse(CodeLogisticsType, "物流类型有误")
	case u.DeliveryMode != Unified && u.DeliveryMode != Split:
		return time.Time{}, refuse(CodeDeliveryMode, "发货模式非法")
	case u.DeliveryMode == Split && u.LogisticsType != Express:
		return time.Time{}, refuse(CodeSplitIsExpress, "非快递发货时不允许分拆发货")
	case u.DeliveryMode == Split && u.IsAllDelivered == nil:
		return time.Time{}, refuse(CodeAllDeliveredMissing, "分拆发货必须填写is_all_delivered字段")
	case u.DeliveryMode == Unified && len(u.ShippingList) != 1:
		return time.Time{}, refuse(CodeUnifiedNeedsOneParcel, "统一发货模式下，物流信息列表长度必须为1")
	case len(u.ShippingList) > maxParcels:
		return time.Time{}, refuse(CodeListTooLong, "物流信息列表太长")
	case len(u.ShippingList) == 0, u.Payer == nil || u.Payer.OpenID == "":
		return time.Time{}, refuse(CodeParameter, "参数错误")
	}
	for _, parcel := range u.ShippingList {
		if err := parcel.check(u.LogisticsType); err != nil {
			return time.Time{}, err
		}
	}
	at, err := time.Parse(time.RFC3339Nano, u.UploadTime)
	if err != nil || !uploadTimeFormat.MatchString(u.UploadTime) {
		return time.Time{}, refuse(CodeUploadTime, "上传时间非法，请按照RFC 3339格式填写")
	}
	return at, nil
}

func (u uploadRequest) checkKey() error {
	switch key := u.OrderKey; {
	case key == nil:
		return refuse(CodeNumberType, "订单单号类型非法")
	case key.OrderNumberType == byTransaction && key.TransactionID == "":
		return refuse(CodeTransactionMissing, "微信支付单号不能为空")
	case key.OrderNumberType == byOutTradeNo && key.MchID == "":
		return refuse(CodeMchIDMissing, "商户号不能为空")
	case key.OrderNumberType == byOutTradeNo && key.OutTradeNo == "":
		return refuse(CodeOutTradeNoMissing, "商户单号不能为空")
	case key.OrderNumberType != byOutTradeNo && key.OrderNumberType != byTransaction:
		return refuse(CodeNumberType, "订单单号类型非法")
	}
	return nil
}

func (p Parcel) check(by LogisticsType) error {
	switch {
	case p.ItemDesc == "":
		return refuse(CodeItemDescEmpty, "商品描述item_desc字段不能为空")
	case utf8.RuneCountInString(p.ItemDesc) > maxItemDesc:
		return refuse(CodeItemDescTooLong, "商品描述item_desc字段太长")
	case len(p.ExpressCompany) > maxCode:
		return refuse(CodeCompanyTooLong, "物流公司编码太长")
	case len(p.TrackingNo) > maxCode:
		return refuse(CodeTrackingTooLong, "物流单号太长")
	case by == Express && p.TrackingNo == "":
		return refuse(CodeTrackingMissing, "物流单号不能为空")
	case by == Express && p.ExpressCompany == "":
		return refuse(CodeCompanyMissing, "物流公司编码不能为空")
	case by == Express && p.ExpressCompany == "SF" && (p.Contact == nil || p.Contact.ConsignorContact == "" && p.Contact.ReceiverContact == ""):
		return refuse(CodeParameter, "参数错误: 顺丰快递必须填写联系方式")
	}
	if p.Contact == nil {
		return nil
	}
	for _, contact := range []string{p.Contact.ConsignorContact, p.Contact.ReceiverContact} {
		if contact != "" && !maskedContact.MatchString(contact) {
			return refuse(CodeParameter, "参数错误: 联系方式须掩码，最后4位除外")
		}
	}
	return nil
}
