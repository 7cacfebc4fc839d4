package events

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// OrderData is the body of the events of an Order, as docs/events.md describes it. It has selected fields only: no data
// about the payer, nothing to pay with, and no text that other people wrote.
type OrderData struct {
	Namespace     string            `json:"namespace"`
	Name          string            `json:"name"`
	UID           string            `json:"uid"`
	Merchant      MerchantReference `json:"merchant"`
	OutTradeNo    string            `json:"outTradeNo"`
	TradeType     string            `json:"tradeType"`
	State         string            `json:"state"`
	Amount        Amount            `json:"amount"`
	TransactionID string            `json:"transactionID,omitempty"`
	PaidTime      string            `json:"paidTime,omitempty"`
}

// RefundData is the body of the events of a Refund.
type RefundData struct {
	Namespace     string `json:"namespace"`
	Name          string `json:"name"`
	UID           string `json:"uid"`
	Order         string `json:"order"`
	OutRefundNo   string `json:"outRefundNo"`
	State         string `json:"state"`
	Amount        int64  `json:"amount"`
	RefundID      string `json:"refundID,omitempty"`
	AcceptedTime  string `json:"acceptedTime,omitempty"`
	SucceededTime string `json:"succeededTime,omitempty"`
}

// ShipmentData is the body of the events of a Shipment.
type ShipmentData struct {
	Namespace  string       `json:"namespace"`
	Name       string       `json:"name"`
	UID        string       `json:"uid"`
	Order      string       `json:"order"`
	State      string       `json:"state"`
	Logistics  string       `json:"logistics"`
	Complete   bool         `json:"complete"`
	Parcels    []ParcelData `json:"parcels"`
	UploadTime string       `json:"uploadTime,omitempty"`
}

// StatementData is the body of the events of a Statement.
type StatementData struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Merchant  MerchantReference `json:"merchant"`
	Date      string            `json:"date"`
	State     string            `json:"state"`
	// Differing is the number of differences, and Differences their numbers by class.
	Differing    int64            `json:"differing"`
	Differences  map[string]int64 `json:"differences,omitempty"`
	Unexplained  []Amount         `json:"unexplained,omitempty"`
	ComparedTime string           `json:"comparedTime,omitempty"`
}

// ParcelData identifies a parcel; both members are empty if there is no carrier.
type ParcelData struct {
	TrackingNumber string `json:"trackingNumber,omitempty"`
	Carrier        string `json:"carrier,omitempty"`
}

// MerchantReference names a Merchant.
type MerchantReference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Amount is money in minor units of a currency.
type Amount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

// body returns the data of an object's event.
func body(event Event, object client.Object) ([]byte, error) {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return json.Marshal(orderData(event, object))
	case *v1alpha1.Refund:
		return json.Marshal(refundData(event, object))
	case *v1alpha1.Shipment:
		return json.Marshal(shipmentData(event, object))
	case *v1alpha1.Statement:
		return json.Marshal(statementData(event, object))
	default:
		panic("events: this kind has no events")
	}
}

func orderData(event Event, order *v1alpha1.Order) OrderData {
	namespace, name := order.MerchantKey()
	data := OrderData{
		Namespace: order.Namespace, Name: order.Name, UID: string(order.UID),
		Merchant:   MerchantReference{Namespace: namespace, Name: name},
		OutTradeNo: order.Number(), TradeType: string(order.Spec.TradeType), State: event.State,
		Amount: Amount{Total: order.Spec.Amount.Total, Currency: string(order.Spec.Amount.Currency)},
	}
	if transaction := order.Status.Transaction; transaction != nil && event.Type != v1alpha1.EventOrderClosed {
		data.TransactionID, data.PaidTime = transaction.ID, timeText(transaction.PaidTime)
	}
	return data
}

func refundData(event Event, refund *v1alpha1.Refund) RefundData {
	data := RefundData{
		Namespace: refund.Namespace, Name: refund.Name, UID: string(refund.UID),
		Order: refund.Spec.OrderRef.Name, OutRefundNo: refund.Number(), State: event.State, Amount: refund.Spec.Amount,
	}
	if event.Type != v1alpha1.EventRefundRequested {
		data.RefundID = refund.Status.RefundID
		data.AcceptedTime, data.SucceededTime = timeText(refund.Status.AcceptedTime), timeText(refund.Status.SucceededTime)
	}
	return data
}

func shipmentData(event Event, shipment *v1alpha1.Shipment) ShipmentData {
	data := ShipmentData{
		Namespace: shipment.Namespace, Name: shipment.Name, UID: string(shipment.UID), Order: shipment.Spec.OrderRef.Name,
		State: event.State, Logistics: string(shipment.Spec.Logistics), Complete: shipment.IsComplete(),
		UploadTime: timeText(shipment.Status.UploadTime),
	}
	for _, p := range shipment.Spec.Parcels {
		data.Parcels = append(data.Parcels, ParcelData{TrackingNumber: p.TrackingNumber, Carrier: p.Carrier})
	}
	return data
}

func statementData(event Event, statement *v1alpha1.Statement) StatementData {
	data := StatementData{
		Namespace: statement.Namespace, Name: statement.Name, UID: string(statement.UID),
		Merchant: MerchantReference{Namespace: statement.Namespace, Name: statement.Spec.MerchantRef.Name},
		Date:     statement.Spec.Date, State: event.State, ComparedTime: timeText(statement.Status.ComparedTime), Differences: map[string]int64{},
	}
	if differing := statement.Status.Differing; differing != nil {
		data.Differing = *differing
	}
	for _, of := range statement.Status.DifferenceCounts {
		data.Differences[of.Class] = of.Count
	}
	for _, of := range statement.Status.Totals {
		if of.Unexplained != nil && of.Unexplained.Count > 0 {
			data.Unexplained = append(data.Unexplained, Amount{Total: of.Unexplained.Total, Currency: of.Currency})
		}
	}
	return data
}

func timeText(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
