package v1alpha1_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
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
		"spec.signType":               {"MD5", "HMAC-SHA256"},
		"spec.refundApproval":         {"Manual", "Automatic"},
		"spec.latePayment":            {"Hold", "Accept", "Refund"},
		"spec.allowedNamespaces.from": {"Same", "All"},
	} {
		t.Run(path, func(t *testing.T) { check(t, enumRows(path, merchant, "None", values...)) })
	}
}

// TestMerchantProtocol: each protocol has what it signs with, and may have what the other one
// needs.
func TestMerchantProtocol(t *testing.T) {
	const path = "spec.protocol"
	both := func(edits ...edit) *unstructured.Unstructured {
		return merchant(append([]edit{speaksBoth}, edits...)...)
	}
	check(t, enumRows(path, both, "V4", "V2", "V3"))
	check(t, []row{
		accept("V3", merchantV3()),
		accept("V3 with public keys", merchantV3(set("spec.publicKeys", publicKeys("PUB_KEY_ID_0114232134912410000000000000")))),
		accept("V2 without what V3 needs", merchant(set(path, "V2"))),
		refuse("V3 without apiV3KeySecretRef", both(unset("spec.apiV3KeySecretRef")), "spec.apiV3KeySecretRef", "apiV3KeySecretRef is required for protocol V3"),
		refuse("V3 with null for apiV3KeySecretRef", both(set("spec.apiV3KeySecretRef", nil)), "spec.apiV3KeySecretRef", "apiV3KeySecretRef is required for protocol V3"),
		refuse("V3 without certificateSecretRef", both(unset("spec.certificateSecretRef")), "spec.certificateSecretRef",
			"certificateSecretRef is required for protocol V3: the certificate's key signs every request"),
		refuse("V2 with V3's key only", merchantV3(set(path, "V2")), "spec.apiKeySecretRef", "apiKeySecretRef is required for protocol V2"),
		refuse("the default with V3's key only", merchantV3(unset(path)), "spec.apiKeySecretRef", "apiKeySecretRef is required for protocol V2"),
		refuse("lower case", both(set(path, "v3")), path, "Unsupported value"),

		refuse("apiV3KeySecretRef.name missing", both(set("spec.apiV3KeySecretRef", map[string]any{"key": "k"})), "spec.apiV3KeySecretRef.name", "Required value"),
		refuse("apiV3KeySecretRef.name empty", both(set("spec.apiV3KeySecretRef.name", "")), "spec.apiV3KeySecretRef.name"),
		refuse("apiV3KeySecretRef.name with a slash", both(set("spec.apiV3KeySecretRef.name", "other/secret")), "spec.apiV3KeySecretRef.name"),
		accept("apiV3KeySecretRef.name, longest", both(set("spec.apiV3KeySecretRef.name", repeat("s", 253)))),
		refuse("apiV3KeySecretRef.name too long", both(set("spec.apiV3KeySecretRef.name", repeat("s", 254))), "spec.apiV3KeySecretRef.name", "253"),
		refuse("apiV3KeySecretRef.namespace does not exist", both(set("spec.apiV3KeySecretRef.namespace", "other")), `unknown field "spec.apiV3KeySecretRef.namespace"`),
		accept("apiV3KeySecretRef.key, longest", both(set("spec.apiV3KeySecretRef.key", repeat("k", 200)))),
		refuse("apiV3KeySecretRef.key too long", both(set("spec.apiV3KeySecretRef.key", repeat("k", 201))), "spec.apiV3KeySecretRef.key", "200"),
		refuse("apiV3KeySecretRef.key with a slash", both(set("spec.apiV3KeySecretRef.key", "a/b")), "spec.apiV3KeySecretRef.key"),
		refuse("apiV3KeySecretRef.key empty", both(set("spec.apiV3KeySecretRef.key", "")), "spec.apiV3KeySecretRef.key"),
		refuse("a key in place of its Secret", both(set("spec.apiV3Key", repeat("k", 32))), `unknown field "spec.apiV3Key"`),
	})
}

func TestMerchantPublicKeys(t *testing.T) {
	const path = "spec.publicKeys"
	const id = "PUB_KEY_ID_0114232134912410000000000000"
	const rule = "publicKeys.pem must be the content of pub_key.pem, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----"
	key := func(id, pem any) *unstructured.Unstructured {
		return merchantV3(set(path, []any{map[string]any{"id": id, "pem": pem}}))
	}
	one := func(edits ...edit) *unstructured.Unstructured {
		u := map[string]any{"id": id, "pem": pem}
		k := &unstructured.Unstructured{Object: u}
		for _, e := range edits {
			e(k)
		}
		return merchantV3(set(path, []any{k.Object}))
	}
	of := func(pem string) *unstructured.Unstructured { return key(id, pem) }
	check(t, []row{
		accept("four", merchantV3(set(path, publicKeys(id, id+"1", id+"2", id+"3")))),
		refuse("five", merchantV3(set(path, publicKeys(id, id+"1", id+"2", id+"3", id+"4"))), path, "must have at most 4 items"),
		refuse("none", merchantV3(set(path, []any{})), path, "at least 1 item"),
		refuse("one id twice", merchantV3(set(path, publicKeys(id, id))), path, "Duplicate value"),
		accept("beside protocol V2", merchant(set(path, publicKeys(id)))),
		refuse("id missing", one(unset("id")), path+"[0].id", "Required value"),
		refuse("id of a certificate", key("5157F09EFDC096DE15EBE81A47057A7232F1B8E1", pem), path+"[0].id"),
		refuse("id without digits", key("PUB_KEY_ID_", pem), path+"[0].id"),
		refuse("id with a letter", key(id+"A", pem), path+"[0].id"),
		refuse("id with a line feed", key(id+"\n", pem), path+"[0].id"),
		accept("longest id", key("PUB_KEY_ID_"+repeat("0", 53), pem)),
		refuse("id too long", key("PUB_KEY_ID_"+repeat("0", 54), pem), path+"[0].id", "64"),
		refuse("id without quotes", key(int64(1), pem), path+"[0].id", "must be of type string"),
		refuse("pem missing", one(unset("pem")), path+"[0].pem", "Required value"),
		refuse("unknown field", one(set("key", "a")), `unknown field "spec.publicKeys[0].key"`),

		accept("without a line feed at the end", of(strings.TrimSpace(pem))),
		accept("line ends of Windows", of(strings.ReplaceAll(pem, "\n", "\r\n"))),
		accept("white space around", of("\n  "+pem+"\n\n")),
		accept("longest", of(pem+repeat("\n", 4096-len(pem)))),
		refuse("too long", of(pem+repeat("\n", 4097-len(pem))), path+"[0].pem", "4096"),
		refuse("empty", of(""), path+"[0].pem"),
		refuse("without its first line", of(strings.SplitN(pem, "\n", 2)[1]), path+"[0].pem", rule),
		refuse("without its last line", of(strings.Split(pem, "-----END")[0]), path+"[0].pem", rule),
		refuse("cut in the last line", of(strings.TrimRight(pem, "-\n")), path+"[0].pem", rule),
		refuse("nothing between", of("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"), path+"[0].pem", rule),
		refuse("a certificate", of(strings.ReplaceAll(pem, "PUBLIC KEY", "CERTIFICATE")), path+"[0].pem", rule),
		refuse("a private key", of(strings.ReplaceAll(pem, "PUBLIC", "PRIVATE")), path+"[0].pem", rule),
		refuse("a private key behind it", of(pem+strings.ReplaceAll(pem, "PUBLIC", "PRIVATE")), path+"[0].pem", rule),
		refuse("two keys", of(pem+pem), path+"[0].pem", rule),
		refuse("words in it", of("my key\n"+pem), path+"[0].pem", rule),
		refuse("the name of a file", of("pub_key.pem"), path+"[0].pem", rule),
		refuse("in base64 once more", of(base64.StdEncoding.EncodeToString([]byte(pem))), path+"[0].pem", rule),
	})
}

// TestPublicKeysAreMerged: teams that apply apart each bring their own key, by its id.
func TestPublicKeysAreMerged(t *testing.T) {
	const id = "PUB_KEY_ID_0114232134912410000000000000"
	ns := namespace(t)
	u := mustCreate(t, ns, merchantV3(set("spec.publicKeys", publicKeys(id))))
	file := applied(u)
	file.Object["spec"] = map[string]any{"mchID": "1900000109", "appID": "wxd678efh567hg6787", "publicKeys": publicKeys(id + "1")}
	if err := apply(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if keys, _, _ := unstructured.NestedSlice(file.Object, "spec", "publicKeys"); len(keys) != 2 {
		t.Errorf("publicKeys %v", keys)
	}
}

func TestMerchantPartner(t *testing.T) {
	const path = "spec.partner"
	for protocol, build := range map[string]func(...edit) *unstructured.Unstructured{"V2": merchant, "V3": merchantV3} {
		t.Run(protocol, func(t *testing.T) {
			sub := func(field string, value any) *unstructured.Unstructured {
				return build(set(path+".subMchID", "1900000200"), set(path+"."+field, value))
			}
			check(t, []row{
				accept("subMchID", sub("subMchID", "1900000201")),
				accept("subMchID, 8 digits", sub("subMchID", "12345678")),
				refuse("subMchID, 7 digits", sub("subMchID", "1234567"), path+".subMchID"),
				refuse("subMchID, 11 digits", sub("subMchID", "12345678901"), path+".subMchID"),
				refuse("subMchID with a letter", sub("subMchID", "19000002O0"), path+".subMchID"),
				refuse("subMchID with a line feed", sub("subMchID", "190000020\n"), path+".subMchID"),
				refuse("subMchID without quotes", sub("subMchID", int64(1900000200)), path+".subMchID", "must be of type string"),
				refuse("subMchID missing", build(set(path, map[string]any{})), path+".subMchID", "Required value"),
				refuse("subMchID is the provider's", sub("subMchID", "1900000109"), path+".subMchID",
					"partner.subMchID must be the sub merchant's number, not the service provider's, which is mchID"),
				accept("subAppID", sub("subAppID", "wx8888888888888888")),
				accept("subAppID is the provider's", sub("subAppID", "wxd678efh567hg6787")),
				accept("subAppID, longest", sub("subAppID", repeat("w", 32))),
				refuse("subAppID too long", sub("subAppID", repeat("w", 33)), path+".subAppID", "32"),
				refuse("subAppID empty", sub("subAppID", ""), path+".subAppID"),
				refuse("subAppID with an ampersand", sub("subAppID", "wx&1"), path+".subAppID"),
				refuse("subAppID with a space", sub("subAppID", "wx 1"), path+".subAppID"),
				refuse("unknown field", sub("mchID", "1900000200"), `unknown field "spec.partner.mchID"`),
				accept("null is absent", build(set(path, nil))),
			})
		})
	}
}

// TestStatusOfMerchant: what is verified with is named once each, and by what a header can name.
func TestStatusOfMerchant(t *testing.T) {
	ns := namespace(t)
	u := mustCreate(t, ns, merchantV3())
	verifier := func(id, kind string) map[string]any {
		return map[string]any{"id": id, "type": kind, "fingerprint": "0123456789abcdef"}
	}
	certificate := verifier("5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "Certificate")
	certificate["notAfter"] = "2031-11-21T12:00:00Z"
	writeStatus(t, u, set("status.verifiers", []any{verifier("PUB_KEY_ID_0114232134912410000000000000", "PublicKey"), certificate}),
		set("status.keys", []any{"0123456789abcdef", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"}))
	if verifiers := typed(t, u).(*v1alpha1.Merchant).Status.Verifiers; len(verifiers) != 2 || verifiers[1].NotAfter.Year() != 2031 {
		t.Errorf("verifiers %v", verifiers)
	}
	for name, wrong := range map[string][]any{
		"twice": {certificate, certificate}, "none": {}, "another type": {verifier("1", "APIKey")}, "no id": {map[string]any{"type": "Certificate"}},
		"no type": {map[string]any{"id": "1"}}, "id too long": {verifier(repeat("1", 65), "Certificate")},
	} {
		t.Run(name, func(t *testing.T) {
			changed := u.DeepCopy()
			set("status.verifiers", wrong)(changed)
			refused(t, env.Client.Status().Update(t.Context(), changed, strict), "status.verifiers")
		})
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
