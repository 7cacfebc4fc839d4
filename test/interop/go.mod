module github.com/wechatpay-operator/wechatpay-operator/test/interop

go 1.26.0

require (
	github.com/go-pay/gopay v1.5.115
	github.com/go-pay/util v0.0.4
	github.com/wechatpay-apiv3/wechatpay-go v0.2.20
	github.com/wechatpay-operator/wechatpay-operator v0.0.0-00010101000000-000000000000
)

require (
	github.com/go-pay/crypto v0.0.1 // indirect
	github.com/go-pay/errgroup v0.0.3 // indirect
	github.com/go-pay/smap v0.0.2 // indirect
	github.com/go-pay/xlog v0.0.3 // indirect
	github.com/go-pay/xtime v0.0.2 // indirect
	golang.org/x/crypto v0.39.0 // indirect
)

replace github.com/wechatpay-operator/wechatpay-operator => ../..
