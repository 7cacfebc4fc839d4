package v1alpha1_test

import (
	"testing"
)

func TestShipmentLogistics(t *testing.T) {
	check(t, enumRows("spec.logistics", shipment, "express", "Express"))
	items := map[string]any{"items": "会员 x1"}
	const rule = "for logistics Express only"
	check(t, []row{
		accept("nothing to bring", shipment(set("spec.logistics", "Virtual"), set("spec.parcels", []any{items}))),
		accept("in the same city", shipment(set("spec.logistics", "SameCity"), set("spec.parcels", []any{items}))),
		accept("picked up", shipment(set("spec.logistics", "SelfPickup"), set("spec.parcels", []any{items}))),
		refuse("a tracking number without a carrier's service", shipment(set("spec.logistics", "Virtual")), "spec.parcels", rule),
		refuse("two things to pick up", shipment(set("spec.logistics", "SelfPickup"), set("spec.parcels", []any{items, items})), "spec.parcels", rule),
		refuse("a part of virtual goods", shipment(set("spec.logistics", "Virtual"), set("spec.parcels", []any{items}), set("spec.complete", false)), "spec.parcels", rule),
	})
}

func TestShipmentParcels(t *testing.T) {
	const needed = "each parcel needs trackingNumber and carrier"
	list := func(count int) []any {
		var all []any
		for range count {
			all = append(all, parcel())
		}
		return all
	}
	with := func(pairs ...string) []any { return []any{parcel(pairs...)} }
	check(t, []row{
		accept("fifteen", shipment(set("spec.parcels", list(15)))),
		refuse("sixteen", shipment(set("spec.parcels", list(16))), "spec.parcels", "15"),
		refuse("none", shipment(set("spec.parcels", []any{})), "spec.parcels", "at least 1"),
		refuse("no carrier", shipment(set("spec.parcels", with("carrier", ""))), "spec.parcels", needed),
		refuse("no tracking number", shipment(set("spec.parcels", with("trackingNumber", ""))), "spec.parcels", needed),
		accept("the longest description", shipment(set("spec.parcels", with("items", repeat("皂", 120))))),
		refuse("too long a description", shipment(set("spec.parcels", with("items", repeat("皂", 121)))), "spec.parcels[0].items", "120"),
		refuse("a line feed", shipment(set("spec.parcels", with("items", "a\nb"))), "spec.parcels[0].items", "control characters"),
		accept("SF with a contact", shipment(set("spec.parcels", with("carrier", "SF", "receiverContact", "189****1234")))),
		refuse("SF without a contact", shipment(set("spec.parcels", with("carrier", "SF"))), "spec.parcels", "the carrier SF needs"),
		refuse("an open contact", shipment(set("spec.parcels", with("receiverContact", "18912341234"))), "spec.parcels[0].receiverContact", "should match"),
		refuse("a contact without an end", shipment(set("spec.parcels", with("consignorContact", "189****12**"))), "spec.parcels[0].consignorContact", "should match"),
	})
}

func TestMiniProgramEndpoint(t *testing.T) {
	check(t, []row{
		accept("WeChat's backup", miniProgram(set("spec.endpoint.url", "https://api2.weixin.qq.com"))),
		refuse("no TLS", miniProgram(set("spec.endpoint.url", "http://api.weixin.qq.com")), "spec.endpoint.url", "https URL"),
		refuse("a query", miniProgram(set("spec.endpoint.url", "https://api.weixin.qq.com/?a=b")), "spec.endpoint.url", "https URL"),
		refuse("a selector that is not used", miniProgram(set("spec.allowedNamespaces.selector", map[string]any{"matchLabels": map[string]any{"a": "b"}})), "spec.allowedNamespaces.selector", "only for"),
		refuse("Selector without one", miniProgram(set("spec.allowedNamespaces.from", "Selector")), "spec.allowedNamespaces.selector", "required"),
	})
}

func TestMiniProgramVirtualGoods(t *testing.T) {
	check(t, enumRows("spec.virtualGoods", miniProgram, "ship", "Ignore", "Ship"))
}
