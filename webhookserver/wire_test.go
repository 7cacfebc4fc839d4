package webhookserver_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// message is a callback that can be sent in either protocol: the path that it is sent to decides. A
// message that is sent again is the same, byte for byte.
type message struct{ v2, v3 func() delivery }

// delivery is a callback as it is sent.
type delivery struct {
	header http.Header
	body   string
}

func isV3(path string) bool { return strings.Contains(path, "/notify/v3/") }

// to returns the callback as it is sent to a path.
func (m message) to(path string) delivery {
	if isV3(path) {
		return m.v3()
	}
	return m.v2()
}

// lines are the headers as they stand in a request.
func (d delivery) lines() string {
	var text strings.Builder
	for name := range d.header {
		text.WriteString(name + ": " + d.header.Get(name) + "\r\n")
	}
	return text.String()
}

// raw is a body as it is, without a signature in its headers.
func raw(body string) message {
	same := func() delivery { return delivery{body: body} }
	return message{same, same}
}

// good is the payment that the shop's Merchant accepts.
func (f fields) good() message { return f.paidUnder(framework.APIKey, framework.APIV3Key) }

// by is a payment for a merchant whose keys of both protocols are the same text.
func (f fields) by(key string) message { return f.paidUnder(key, key) }

func (f fields) paidUnder(apiKey, apiV3Key string) message {
	return message{
		func() delivery { return delivery{body: f.body(apiKey, hmacSign)} },
		sync.OnceValue(func() delivery { return f.transaction().sent(genuine, apiV3Key) }),
	}
}

// forged is a payment that was not signed with a key of WeChat Pay.
func (f fields) forged() message {
	return message{
		func() delivery { return delivery{body: f.body(forgedKey, hmacSign)} },
		sync.OnceValue(func() delivery { return f.transaction().sent(wrongSigner, framework.APIV3Key) }),
	}
}

const forgedKey = "ForgedKey0ForgedKey0ForgedKey012"

// refunded is the callback of a refund that the shop's Merchant accepts. f is of refundOf.
func (f fields) refunded() message { return f.refundedUnder(framework.APIKey, framework.APIV3Key) }

func (f fields) refundedUnder(apiKey, apiV3Key string) message {
	return message{
		func() delivery { return delivery{body: f.sealed(apiKey).xml("xml")} },
		sync.OnceValue(func() delivery { return f.refundEvent().sent(genuine, apiV3Key) }),
	}
}

// refundForged is the callback of a refund that was made without the keys.
func (f fields) refundForged() message {
	return message{
		func() delivery { return delivery{body: f.sealed(forgedKey).xml("xml")} },
		sync.OnceValue(func() delivery { return f.refundEvent().sent(wrongSigner, framework.APIV3Key) }),
	}
}

// platformKey is a key of WeChat Pay, with the id under which Merchants of these tests know it.
type platformKey struct {
	id  string
	key *rsa.PrivateKey
}

func newPlatformKey(id string) func() platformKey {
	return sync.OnceValue(func() platformKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return platformKey{id, key}
	})
}

// genuine signs what WeChat Pay sends. unknownSigner has an unknown id, and wrongSigner its key under the
// id of the genuine one.
var (
	genuine       = newPlatformKey("PUB_KEY_ID_0100000000000000000000000001")
	unknownSigner = newPlatformKey("PUB_KEY_ID_0100000000000000000000000002")
	wrongSigner   = func() platformKey { return platformKey{genuine().id, unknownSigner().key} }
)

// public is how spec.publicKeys names the key.
func (k platformKey) public() v1alpha1.PublicKey {
	der, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		panic(err)
	}
	return v1alpha1.PublicKey{ID: k.id, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// sign sets the headers of a body. change changes them before the signature is made.
func (k platformKey) sign(body string, change ...func(http.Header)) delivery {
	header := http.Header{}
	header.Set("Wechatpay-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	header.Set("Wechatpay-Nonce", rand.Text())
	header.Set("Wechatpay-Serial", k.id)
	header.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	header.Set("Content-Type", "application/json; charset=utf-8")
	for _, c := range change {
		c(header)
	}
	hashed := sha256.Sum256([]byte(header.Get("Wechatpay-Timestamp") + "\n" + header.Get("Wechatpay-Nonce") + "\n" + body + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.key, crypto.SHA256, hashed[:])
	if err != nil {
		panic(err)
	}
	header.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	return delivery{header, body}
}

// event is a callback of V3 before it is encrypted.
type event struct {
	kind, original string
	content        map[string]any
}

// sent encrypts and signs an event.
func (e event) sent(by func() platformKey, apiV3Key string) delivery {
	return by().sign(e.sealed(apiV3Key))
}

// sealed is the body with the encrypted content (AEAD_AES_256_GCM).
func (e event) sealed(apiV3Key string) string { return e.sealedText(apiV3Key, toJSON(e.content)) }

func (e event) sealedText(apiV3Key, content string) string {
	block, err := aes.NewCipher([]byte(apiV3Key))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce := rand.Text()[:gcm.NonceSize()]
	return toJSON(map[string]any{
		"id": "EV-" + rand.Text(), "create_time": time.Now().Format(time.RFC3339), "event_type": e.kind,
		"resource_type": "encrypt-resource", "summary": "通知",
		"resource": map[string]any{
			"algorithm": "AEAD_AES_256_GCM", "original_type": e.original, "associated_data": e.original, "nonce": nonce,
			"ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(content), []byte(e.original))),
		},
	})
}

func toJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// number is a whole number where the text is one, so that a test can also send another.
func number(text string) any {
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole
	}
	return text
}

// without removes what is empty.
func without(members map[string]any) map[string]any {
	for name, value := range members {
		if value == "" {
			delete(members, name)
		}
	}
	return members
}

// rfc3339 converts a time of V2, which is Beijing's.
func rfc3339(layout, text string) string {
	parsed, err := time.ParseInLocation(layout, text, time.FixedZone("CST", 8*60*60))
	if err != nil {
		return text
	}
	return parsed.Format(time.RFC3339)
}

// transactionNames are the fields of a payment that V3 calls otherwise.
var transactionNames = []string{
	"return_code", "result_code", "mch_id", "openid", "fee_type", "cash_fee_type", "total_fee", "cash_fee", "time_end", "nonce_str", "is_subscribe",
}

// transaction is the payment in the words of V3. Fields that both have keep their names.
func (f fields) transaction() event {
	state := f["result_code"]
	content := map[string]any{
		"mchid": f["mch_id"], "trade_state": state, "success_time": rfc3339("20060102150405", f["time_end"]),
		"payer": without(map[string]any{"openid": f["openid"]}),
		"amount": without(map[string]any{
			"total": number(f["total_fee"]), "payer_total": number(f["cash_fee"]), "currency": f["fee_type"], "payer_currency": f["cash_fee_type"],
		}),
	}
	for name, value := range f {
		if !slices.Contains(transactionNames, name) {
			content[name] = value
		}
	}
	return event{"TRANSACTION.SUCCESS", "transaction", without(content)}
}

// refundEvent is the refund in the words of V3.
func (f fields) refundEvent() event {
	words := map[string]string{"REFUNDCLOSE": "CLOSED", "CHANGE": "ABNORMAL"}
	state := f["refund_status"]
	if word, other := words[state]; other {
		state = word
	}
	mchID := f["mch_id"]
	if mchID == "" {
		mchID = framework.MchID
	}
	return event{"REFUND." + state, "refund", without(map[string]any{
		"mchid": mchID, "out_trade_no": f["out_trade_no"], "out_refund_no": f["out_refund_no"], "refund_id": f["refund_id"],
		"transaction_id": f["transaction_id"], "refund_status": state, "user_received_account": f["refund_recv_accout"],
		"success_time": rfc3339(time.DateTime, f["success_time"]),
		"amount": without(map[string]any{
			"total": number(f["total_fee"]), "refund": number(f["refund_fee"]), "payer_total": number(f["total_fee"]), "payer_refund": number(f["refund_fee"]),
		}),
	})}
}

// root is where the paths of a protocol begin.
func root(protocol v1alpha1.Protocol) string {
	return "/notify/" + strings.ToLower(string(protocol)) + "/"
}

// proven records in a Merchant's status that its endpoint accepted the API keys (V2), or that an
// answer was verified with the genuine key (V3).
func (d *fixture) proven(m *v1alpha1.Merchant, apiKeys ...string) {
	d.T.Helper()
	if m.Spec.Protocol == v1alpha1.ProtocolV3 {
		m.Status.Verifiers = []v1alpha1.Verifier{{ID: genuine().id, Type: "PublicKey", Fingerprint: genuine().fingerprint()}}
	}
	d.TakeKeys(m, apiKeys...)
}

// knowsPlatform makes a Merchant of V3 verify with the genuine key, beside the simulator's.
func knowsPlatform(m *v1alpha1.Merchant) {
	if m.Spec.Protocol == v1alpha1.ProtocolV3 {
		m.Spec.PublicKeys = append(m.Spec.PublicKeys, genuine().public())
	}
}

// fails returns what a failure that is answered by hand looks like.
func (d *fixture) fails(reason string) string {
	if d.Protocol == v1alpha1.ProtocolV3 {
		return fmt.Sprintf(`{"code":"FAIL","message":%q}`, reason)
	}
	return `<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[` + reason + `]]></return_msg></xml>`
}

// fingerprint identifies the key in a Merchant's status.
func (k platformKey) fingerprint() string {
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&k.key.PublicKey))
	return hex.EncodeToString(sum[:8])
}
