package v1alpha1_test

import (
	"encoding/base64"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestMerchantFields(t *testing.T) {
	check(t, []row{
		accept("mchID, 8 digits", merchant(set("spec.mchID", "12345678"))),
		accept("mchID, 10 digits", merchant(set("spec.mchID", "1234567890"))),
		refuse("mchID, 7 digits", merchant(set("spec.mchID", "1234567")), "spec.mchID"),
		refuse("mchID, 11 digits", merchant(set("spec.mchID", "12345678901")), "spec.mchID"),
		refuse("mchID with a letter", merchant(set("spec.mchID", "19000001O9")), "spec.mchID"),
		refuse("mchID with a line feed", merchant(set("spec.mchID", "190000010\n")), "spec.mchID"),
		refuse("mchID with other digits", merchant(set("spec.mchID", "１９００００01")), "spec.mchID"),
		refuse("mchID without quotes", merchant(set("spec.mchID", int64(1900000109))), "spec.mchID", "must be of type string"),
		refuse("mchID missing", merchant(unset("spec.mchID")), "spec.mchID", "Required value"),

		accept("appID, longest", merchant(set("spec.appID", repeat("w", 32)))),
		refuse("appID too long", merchant(set("spec.appID", repeat("w", 33))), "spec.appID", "32"),
		refuse("appID empty", merchant(set("spec.appID", "")), "spec.appID"),
		refuse("appID with a space", merchant(set("spec.appID", "wx 1")), "spec.appID"),
		refuse("appID with an ampersand", merchant(set("spec.appID", "wx&1")), "spec.appID"),
		refuse("appID missing", merchant(unset("spec.appID")), "spec.appID", "Required value"),

		refuse("apiKeySecretRef missing", merchant(unset("spec.apiKeySecretRef")), "spec.apiKeySecretRef", "apiKeySecretRef is required for protocol V2"),
		refuse("apiKeySecretRef null", merchant(set("spec.apiKeySecretRef", nil)), "spec.apiKeySecretRef", "apiKeySecretRef is required for protocol V2"),
		refuse("apiKeySecretRef.name missing", merchant(set("spec.apiKeySecretRef", map[string]any{"key": "k"})), "spec.apiKeySecretRef.name", "Required value"),
		refuse("apiKeySecretRef.name empty", merchant(set("spec.apiKeySecretRef.name", "")), "spec.apiKeySecretRef.name"),
		refuse("apiKeySecretRef.namespace does not exist", merchant(set("spec.apiKeySecretRef.namespace", "other")), `unknown field "spec.apiKeySecretRef.namespace"`),
		refuse("apiKeySecretRef.key with a slash", merchant(set("spec.apiKeySecretRef.key", "a/b")), "spec.apiKeySecretRef.key"),
		refuse("apiKeySecretRef.key empty", merchant(set("spec.apiKeySecretRef.key", "")), "spec.apiKeySecretRef.key"),
		refuse("a key in place of its Secret", merchant(set("spec.apiKey", repeat("k", 32))), `unknown field "spec.apiKey"`),
		accept("certificateSecretRef", merchant(set("spec.certificateSecretRef.name", "shop-wechatpay-cert"))),
		refuse("certificateSecretRef.name missing", merchant(set("spec.certificateSecretRef", map[string]any{})), "spec.certificateSecretRef.name", "Required value"),

		accept("longest name", merchant(named(repeat("m", 63)))),
		refuse("name too long", merchant(named(repeat("m", 64))), "metadata.name must be at most 63 characters"),
		refuse("unknown field", merchant(set("spec.insecureSkipVerify", true)), `unknown field "spec.insecureSkipVerify"`),
		refuse("spec missing", merchant(unset("spec")), "spec", "Required value"),
	})
}

func TestMerchantEnums(t *testing.T) {
	for path, values := range map[string][]string{
		"spec.protocol":               {"V2"},
		"spec.signType":               {"MD5", "HMAC-SHA256"},
		"spec.refundApproval":         {"Manual", "Automatic"},
		"spec.latePayment":            {"Hold", "Accept", "Refund"},
		"spec.allowedNamespaces.from": {"Same", "All"},
	} {
		t.Run(path, func(t *testing.T) { check(t, enumRows(path, merchant, "None", values...)) })
	}
}

// urlRows are wrong as any address of ours or WeChat's.
func urlRows(path, rule string) []row {
	build := func(value any) *unstructured.Unstructured {
		return merchant(set("spec.endpoint.url", "https://api.mch.weixin.qq.com"), set(path, value))
	}
	rows := []row{
		accept("https", build("https://pay.example.com")),
		accept("port and path", build("https://pay.example.com:8443/v1")),
		accept("IPv6", build("https://[2001:db8::7]:8443")),
		refuse("empty", build(""), path),
		refuse("number", build(int64(1)), path, "must be of type string"),
	}
	for name, value := range map[string]string{
		"no scheme": "pay.example.com", "no host": "https:///pay", "only a port": "https://:443", "other scheme": "ftp://pay.example.com",
		"query": "https://pay.example.com/?a=b", "empty query": "https://pay.example.com/?", "fragment": "https://pay.example.com/#a",
		"user": "https://shop:secret@pay.example.com", "inner space": "https://pay.example.com/a b", "leading space": " https://pay.example.com",
		"line feed": "https://pay.example.com\n", "tab": "https://pay.example.com/\t", "bad port": "https://pay.example.com:http",
		"bad IPv6": "https://[2001:db8::7", "relative": "//pay.example.com",
	} {
		rows = append(rows, refuse(name, build(value), path, rule))
	}
	return rows
}

func TestMerchantEndpoint(t *testing.T) {
	const rule = "endpoint.url must be an https URL"
	endpoint := func(field string, value any) *unstructured.Unstructured {
		return merchant(set("spec.endpoint.url", "https://api.mch.weixin.qq.com"), set("spec.endpoint."+field, value))
	}
	check(t, append(urlRows("spec.endpoint.url", rule),
		refuse("http", endpoint("url", "http://api.mch.weixin.qq.com"), "spec.endpoint.url", rule),
		refuse("missing", merchant(set("spec.endpoint", map[string]any{})), "spec.endpoint.url", "Required value"),
		refuse("too long", endpoint("url", "https://"+repeat("a", 246)), "spec.endpoint.url", "253"),
		accept("caBundle", endpoint("caBundle", base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----")))),
		refuse("caBundle not in base64", endpoint("caBundle", "-----BEGIN CERTIFICATE-----"), "spec.endpoint.caBundle"),
		refuse("caBundle with a line feed", endpoint("caBundle", "YWJj\nYWJj"), "spec.endpoint.caBundle"),
		refuse("caBundle in the alphabet of URLs", endpoint("caBundle", "-_-_"), "spec.endpoint.caBundle"),
		refuse("caBundle empty", endpoint("caBundle", ""), "spec.endpoint.caBundle"),
		refuse("caBundle too long", endpoint("caBundle", repeat("YWJj", 32769)), "spec.endpoint.caBundle", "131072"),
		refuse("no way around TLS", endpoint("insecureSkipVerify", true), `unknown field "spec.endpoint.insecureSkipVerify"`),
	))
}

func TestMerchantBackupURL(t *testing.T) {
	const path, rule = "spec.endpoint.backupURL", "endpoint.backupURL must be an https URL"
	check(t, append(urlRows(path, rule),
		refuse("http", merchant(set("spec.endpoint.url", "https://api.mch.weixin.qq.com"), set(path, "http://api2.mch.weixin.qq.com")), path, rule)))
}

func TestMerchantNotifyBaseURL(t *testing.T) {
	const path = "spec.notifyBaseURL"
	check(t, borderRows(path, "https://pay.example.com/a", merchant))
	check(t, append(urlRows(path, "notifyBaseURL must be an absolute http or https URL"),
		accept("http, for a simulator", merchant(set(path, "http://127.0.0.1:8088"))),
		accept("longest", merchant(set(path, "https://"+repeat("a", 102)))),
		refuse("too long for WeChat with the path behind it", merchant(set(path, "https://"+repeat("a", 103))), path, "110"),
	))
}

func TestMerchantAllowedNamespaces(t *testing.T) {
	const path = "spec.allowedNamespaces"
	selector := func(value map[string]any) *unstructured.Unstructured {
		return merchant(set(path+".from", "Selector"), set(path+".selector", value))
	}
	expression := func(operator string, values ...any) *unstructured.Unstructured {
		e := map[string]any{"key": "shop", "operator": operator}
		if values != nil {
			e["values"] = values
		}
		return selector(map[string]any{"matchExpressions": []any{e}})
	}
	const rule = "the operator is In or NotIn with values"
	check(t, []row{
		accept("labels", selector(map[string]any{"matchLabels": map[string]any{"shop": "yes"}})),
		accept("everything", selector(map[string]any{})),
		accept("In", expression("In", "a", "b")),
		accept("Exists", expression("Exists")),
		refuse("Selector without selector", merchant(set(path+".from", "Selector")), path+".selector", "selector is required"),
		refuse("selector with Same", merchant(set(path+".from", "Same"), set(path+".selector", map[string]any{})), path+".selector", "only for allowedNamespaces.from Selector"),
		refuse("selector with All", merchant(set(path+".from", "All"), set(path+".selector", map[string]any{})), path+".selector", "only for allowedNamespaces.from Selector"),
		refuse("selector with the default", merchant(set(path+".selector", map[string]any{})), path+".selector", "only for allowedNamespaces.from Selector"),
		refuse("unknown operator", expression("Is", "a"), path+".selector", rule),
		refuse("In without values", expression("In"), path+".selector", rule),
		refuse("Exists with values", expression("Exists", "a"), path+".selector", rule),
		refuse("label without a string", selector(map[string]any{"matchLabels": map[string]any{"shop": true}}), path+".selector.matchLabels.shop", "must be of type string"),
		refuse("a list of names", merchant(set(path+".names", []any{"a"})), `unknown field "spec.allowedNamespaces.names"`),
	})
}
