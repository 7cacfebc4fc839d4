// Package protocols is the one place that knows which versions of WeChat Pay's API there are.
package protocols

import (
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
)

var protocols = map[v1alpha1.Protocol]wechatpay.Protocol{
	v1alpha1.ProtocolV2: v2.Protocol{},
}

// Of returns the protocol of a name; the default one for an object of before the field.
func Of(name v1alpha1.Protocol) (protocol wechatpay.Protocol, known bool) {
	if name == "" {
		name = v1alpha1.ProtocolV2
	}
	protocol, known = protocols[name]
	return protocol, known
}

// Path is the segment of callback addresses that names a protocol.
func Path(name v1alpha1.Protocol) string {
	if name == "" {
		name = v1alpha1.ProtocolV2
	}
	return strings.ToLower(string(name))
}

// ByPath is every protocol by that segment.
func ByPath() map[string]wechatpay.Protocol {
	by := map[string]wechatpay.Protocol{}
	for name, protocol := range protocols {
		by[Path(name)] = protocol
	}
	return by
}
