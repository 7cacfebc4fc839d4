package v1alpha1_test

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// boundedRows are the rules of texts that go into the protocol's JSON, where & and = need no care.
func boundedRows(path, field string, limit int, with func(text any) *unstructured.Unstructured) []row {
	return []row{
		accept("at the limit in ASCII", with(repeat("a", limit))),
		accept("at the limit in Chinese", with(bytesOf(limit))),
		accept("a query and quotes", with(`a&b=1 "c" \ <d>`)),
		refuse("over the limit in ASCII", with(repeat("a", limit+1)), path, fmt.Sprint(limit)),
		refuse("over the limit in Chinese", with(bytesOf(limit+1)), path, fmt.Sprintf("%s must be at most %d bytes", field, limit)),
		refuse("emoji", with("a😀"), path, field+" must not hold emoji or other characters of four bytes in UTF-8"),
		refuse("empty", with(""), path),
		refuse("number", with(int64(1)), path, "must be of type string"),
		refuse("line feed", with("a\nb"), path, "control characters"),
		refuse("NUL", with("a\x00b"), path, "control characters"),
		refuse("U+FFFF", with("a\uffffb"), path, "control characters"),
		refuse("leading space", with(" a"), path, "white space"),
	}
}

// goodsOf is an Order of one line, of which one member is this.
func goodsOf(member string, value any) *unstructured.Unstructured {
	line := items("soap")[0].(map[string]any)
	line[member] = value
	return order(set("spec.goods.items", []any{line}))
}

func TestOrderGoods(t *testing.T) {
	const path = "spec.goods"
	many := func(count int) *unstructured.Unstructured {
		var lines []any
		for range count {
			lines = append(lines, items("soap")[0])
		}
		return order(set(path+".items", lines))
	}
	without := func(member string) *unstructured.Unstructured {
		line := items("soap")[0].(map[string]any)
		delete(line, member)
		return order(set(path+".items", []any{line}))
	}
	check(t, []row{
		accept("everything", order(set(path, map[string]any{"costPrice": int64(1), "receiptID": "R-1", "items": []any{map[string]any{
			"id": "Az09_-", "weChatID": "1001", "name": "肥皂", "quantity": int64(2), "price": int64(50),
		}}}))),
		accept("as many lines as may be", many(100)),
		refuse("too many lines", many(101), path+".items", "100"),
		refuse("no line", order(set(path+".items", []any{})), path+".items"),
		refuse("items missing", order(set(path+".receiptID", "R-1")), path+".items", "Required value"),
		refuse("id missing", without("id"), path+".items[0].id", "Required value"),
		refuse("quantity missing", without("quantity"), path+".items[0].quantity", "Required value"),
		refuse("price missing", without("price"), path+".items[0].price", "Required value"),
		refuse("quantity zero", goodsOf("quantity", int64(0)), path+".items[0].quantity"),
		refuse("quantity with a fraction", goodsOf("quantity", 1.5), path+".items[0].quantity", "must be of type integer"),
		refuse("price zero", goodsOf("price", int64(0)), path+".items[0].price"),
		refuse("costPrice zero", order(set(path+".items", items("soap")), set(path+".costPrice", int64(0))), path+".costPrice"),
		accept("longest id", goodsOf("id", repeat("a", 32))),
		refuse("id too long", goodsOf("id", repeat("a", 33)), path+".items[0].id", "32"),
		refuse("id in Chinese", goodsOf("id", "肥皂"), path+".items[0].id"),
		refuse("id with a dot", goodsOf("id", "a.b"), path+".items[0].id"),
		refuse("weChatID with a space", goodsOf("weChatID", "a b"), path+".items[0].weChatID"),
		refuse("V2's own word", goodsOf("goods_name", "soap"), `unknown field "spec.goods.items[0].goods_name"`),
		refuse("detail is no field", order(set("spec.detail", "{}")), `unknown field "spec.detail"`),
	})
	check(t, boundedRows(path+".items[0].name", "name", 256, func(text any) *unstructured.Unstructured { return goodsOf("name", text) }))
	check(t, boundedRows(path+".receiptID", "receiptID", 32, func(text any) *unstructured.Unstructured {
		return order(set(path+".items", items("soap")), set(path+".receiptID", text))
	}))
}

func TestOrderStore(t *testing.T) {
	const path = "spec.store"
	store := func(member string, value any) *unstructured.Unstructured {
		return order(set(path+".id", "1"), set(path+"."+member, value))
	}
	all := func(address string) *unstructured.Unstructured {
		return order(set(path, map[string]any{"id": repeat("1", 32), "name": repeat("a", 64), "areaCode": "440305", "address": address}))
	}
	check(t, []row{
		accept("only an id", store("id", "SZT001")),
		refuse("no id", order(set(path+".name", "a")), path+".id", "Required value"),
		accept("as much as fits", all(bytesOf(92))),
		refuse("more than fits", all(bytesOf(93)), path, "store.id, store.name and store.address must be at most 188 bytes in UTF-8 together"),
		accept("areaCode", store("areaCode", "440305")),
		refuse("areaCode too short", store("areaCode", "44030"), path+".areaCode"),
		refuse("areaCode too long", store("areaCode", "4403051"), path+".areaCode"),
		refuse("areaCode with a letter", store("areaCode", "44030a"), path+".areaCode"),
		refuse("areaCode without quotes", store("areaCode", int64(440305)), path+".areaCode", "must be of type string"),
	})
	for member, limit := range map[string]int{"id": 32, "name": 64, "address": 128} {
		check(t, boundedRows(path+"."+member, member, limit, func(text any) *unstructured.Unstructured { return store(member, text) }))
	}
}

func TestOrderH5(t *testing.T) {
	const path = "spec.h5"
	h5 := func(member string, value any) *unstructured.Unstructured {
		return order(set(path+".type", "Wap"), set(path+"."+member, value))
	}
	check(t, append(enumRows(path+".type", order, "IOS", "Wap", "iOS", "Android"),
		refuse("no type", order(set(path+".name", "Shop")), path+".type", "Required value"),
		accept("everything", order(set(path, map[string]any{"type": "iOS", "name": "Shop", "url": "https://shop.example.com", "bundleID": "com.example.shop", "packageName": "com.example.shop"}))),
		accept("url with a query", h5("url", "https://shop.example.com/?a=1&b=2")),
		accept("http", h5("url", "http://shop.example.com")),
		accept("longest url", h5("url", "https://shop.example.com/"+repeat("a", 103))),
		refuse("url too long", h5("url", "https://shop.example.com/"+repeat("a", 104)), path+".url", "128"),
		refuse("url without scheme", h5("url", "shop.example.com"), path+".url", "url must be an absolute http or https URL"),
		refuse("url in Chinese", h5("url", "https://shop.example.com/肥皂"), path+".url", "url must be an absolute http or https URL"),
		refuse("url of a script", h5("url", "javascript:alert(1)"), path+".url", "url must be an absolute http or https URL"),
		refuse("url without host", h5("url", "https:///a"), path+".url", "url must be an absolute http or https URL"),
		accept("longest bundleID", h5("bundleID", repeat("a", 128))),
		refuse("bundleID too long", h5("bundleID", repeat("a", 129)), path+".bundleID", "128"),
		refuse("bundleID with a space", h5("bundleID", "com example"), path+".bundleID"),
		refuse("packageName in Chinese", h5("packageName", "肥皂"), path+".packageName"),
		refuse("sceneInfo is no field", order(set("spec.sceneInfo", "{}")), `unknown field "spec.sceneInfo"`),
	))
	check(t, boundedRows(path+".name", "name", 64, func(text any) *unstructured.Unstructured { return h5("name", text) }))
}
