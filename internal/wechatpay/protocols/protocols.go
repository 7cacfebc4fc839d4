// Package protocols lists the versions of WeChat Pay's API that the operator speaks. No other package
// does.
package protocols

import (
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
	v3 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v3"
)

var protocols = map[v1alpha1.Protocol]wechatpay.Protocol{
	v1alpha1.ProtocolV2: v2.Protocol{},
	v1alpha1.ProtocolV3: v3.Protocol{},
}

// Of returns the protocol of a name. An empty name, of an object older than the field, means V2.
func Of(name v1alpha1.Protocol) (protocol wechatpay.Protocol, known bool) {
	if name == "" {
		name = v1alpha1.ProtocolV2
	}
	protocol, known = protocols[name]
	return protocol, known
}

// Path returns the segment of callback URLs that names a protocol.
func Path(name v1alpha1.Protocol) string {
	if name == "" {
		name = v1alpha1.ProtocolV2
	}
	return strings.ToLower(string(name))
}

// ByPath returns all protocols, keyed by that segment.
func ByPath() map[string]wechatpay.Protocol {
	by := map[string]wechatpay.Protocol{}
	for name, protocol := range protocols {
		by[Path(name)] = protocol
	}
	return by
}
