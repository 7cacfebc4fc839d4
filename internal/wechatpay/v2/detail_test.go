package v2

import (
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestDetail(t *testing.T) {
	line := func(change func(*wechatpay.GoodsItem)) *wechatpay.Goods {
		item := wechatpay.GoodsItem{ID: "soap", Quantity: 2, Price: 50}
		change(&item)
		return &wechatpay.Goods{Items: []wechatpay.GoodsItem{item}}
	}
	named := func(name string) *wechatpay.Goods { return line(func(i *wechatpay.GoodsItem) { i.Name = name }) }
	for name, c := range map[string]struct {
		goods *wechatpay.Goods
		want  string
	}{
		"none":       {nil, ""},
		"one line":   {line(func(*wechatpay.GoodsItem) {}), `{"goods_detail":[{"goods_id":"soap","quantity":2,"price":50}]}`},
		"ampersands": {named("A & B <1>"), `{"goods_detail":[{"goods_id":"soap","goods_name":"A & B <1>","quantity":2,"price":50}]}`},
		"a border":   {named("A&b=1 & c"), `{"goods_detail":[{"goods_id":"soap","goods_name":"A\u0026b=1 \u0026 c","quantity":2,"price":50}]}`},
		"quotes":     {named(`19" \ 1`), `{"goods_detail":[{"goods_id":"soap","goods_name":"19\" \\ 1","quantity":2,"price":50}]}`},
		"everything": {
			&wechatpay.Goods{CostPrice: 608800, ReceiptID: "wx123", Items: []wechatpay.GoodsItem{
				{ID: "1", WeChatID: "1001", Name: "肥皂", Quantity: 1, Price: 528800}, {ID: "2", Quantity: 1, Price: 80000},
			}},
			`{"cost_price":608800,"receipt_id":"wx123","goods_detail":[{"goods_id":"1","wxpay_goods_id":"1001","goods_name":"肥皂","quantity":1,"price":528800},` +
				`{"goods_id":"2","quantity":1,"price":80000}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the same call again
				got, err := detailOf(c.goods)
				if err != nil || got != c.want {
					t.Errorf("%s, %v\nwant %s", got, err, c.want)
				}
			}
		})
	}
}

func TestSceneInfo(t *testing.T) {
	for name, c := range map[string]struct {
		store *wechatpay.Store
		h5    *wechatpay.H5
		want  string
	}{
		"none":    {nil, nil, ""},
		"a store": {&wechatpay.Store{ID: "SZT001"}, nil, `{"store_info":{"id":"SZT001"}}`},
		"all of a store": {
			&wechatpay.Store{ID: "SZT001", Name: "腾讯大厦店", AreaCode: "440305", Address: "科技中一路 1 号"}, nil,
			`{"store_info":{"id":"SZT001","name":"腾讯大厦店","area_code":"440305","address":"科技中一路 1 号"}}`,
		},
		"a page": {
			nil, &wechatpay.H5{Type: wechatpay.H5TypeWap, Name: "Shop", URL: "https://shop.example.com/?a=1&b=2", BundleID: "x", PackageName: "y"},
			`{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com/?a=1\u0026b=2","wap_name":"Shop"}}`,
		},
		"an app on iOS": {
			nil, &wechatpay.H5{Type: wechatpay.H5TypeIOS, Name: "Shop", URL: "https://x", BundleID: "com.example.shop", PackageName: "y"},
			`{"h5_info":{"type":"IOS","app_name":"Shop","bundle_id":"com.example.shop"}}`,
		},
		"an app on Android": {
			nil, &wechatpay.H5{Type: wechatpay.H5TypeAndroid, Name: "Shop", URL: "https://x", BundleID: "x", PackageName: "com.example.shop"},
			`{"h5_info":{"type":"Android","app_name":"Shop","package_name":"com.example.shop"}}`,
		},
		"both": {
			&wechatpay.Store{ID: "1"}, &wechatpay.H5{Type: wechatpay.H5TypeWap},
			`{"store_info":{"id":"1"},"h5_info":{"type":"Wap"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the same call again
				got, err := sceneInfoOf(c.store, c.h5)
				if err != nil || got != c.want {
					t.Errorf("%s, %v\nwant %s", got, err, c.want)
				}
			}
		})
	}
}

// TestTheBoundsOfOneFit: the longest store, and the longest page or app, that the API takes.
func TestTheBoundsOfOneFit(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	for name, err := range map[string]error{
		"store":   second(sceneInfoOf(&wechatpay.Store{ID: text(32), Name: text(64), AreaCode: "440305", Address: text(92)}, nil)),
		"Wap":     second(sceneInfoOf(nil, &wechatpay.H5{Type: wechatpay.H5TypeWap, Name: text(64), URL: text(128)})),
		"iOS":     second(sceneInfoOf(nil, &wechatpay.H5{Type: wechatpay.H5TypeIOS, Name: text(64), BundleID: text(128)})),
		"Android": second(sceneInfoOf(nil, &wechatpay.H5{Type: wechatpay.H5TypeAndroid, Name: text(64), PackageName: text(128)})),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ string, err error) error { return err }

// What is too long is not sent: WeChat would refuse it, or cut it.
func TestTooMuchDetailIsNotSent(t *testing.T) {
	goods := func(lines int, nameOfLast int) *wechatpay.Goods {
		all := &wechatpay.Goods{}
		for range lines - 1 {
			all.Items = append(all.Items, wechatpay.GoodsItem{ID: "1", Name: strings.Repeat("汉", 80), Quantity: 1, Price: 1})
		}
		all.Items = append(all.Items, wechatpay.GoodsItem{ID: "1", Name: strings.Repeat("a", nameOfLast), Quantity: 1, Price: 1})
		return all
	}
	most := 0
	for size := range 256 {
		if text, err := detailOf(goods(21, size+1)); err == nil && len(text) == maxDetail {
			most = size + 1
		}
	}
	if most == 0 {
		t.Fatal("no detail is as long as it may be")
	}
	for name, c := range map[string]struct {
		change func(*wechatpay.OrderRequest)
		text   string
	}{
		"goods": {
			func(o *wechatpay.OrderRequest) { o.Goods = goods(21, most+1) },
			"detail is too long: WeChat Pay's protocol V2 takes 6000 bytes of it, and the goods come to 6001. Create another Order with less",
		},
		"store and h5": {
			func(o *wechatpay.OrderRequest) {
				o.Store = &wechatpay.Store{ID: "1", Address: strings.Repeat("汉", 42)}
				o.H5 = &wechatpay.H5{Type: wechatpay.H5TypeWap, URL: "https://shop.example.com", Name: strings.Repeat("a", 64)}
			},
			"scene_info is too long: WeChat Pay's protocol V2 takes 256 bytes of it, and store and h5 come to 304. Create another Order with less",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(nil))
			order := testOrder()
			c.change(&order)
			_, err := s.client(t).CreateOrder(t.Context(), order)
			expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: "+c.text)
			if len(s.seen()) != 0 {
				t.Error("it was sent")
			}
		})
	}
}

// WeChat takes no NATIVE without a product_id, and any that there is.
func TestProductID(t *testing.T) {
	for name, c := range map[string]struct {
		tradeType wechatpay.TradeType
		given     string
		want      string
	}{
		"given":              {wechatpay.TradeTypeNative, "soap", "soap"},
		"NATIVE without one": {wechatpay.TradeTypeNative, "", testNumber},
		"JSAPI without one":  {wechatpay.TradeTypeJSAPI, "", ""},
		"JSAPI with one":     {wechatpay.TradeTypeJSAPI, "soap", "soap"},
	} {
		order := testOrder()
		order.TradeType, order.ProductID = c.tradeType, c.given
		if got := productID(order); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
