package v3

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// vector is a test case that any implementation of the protocol must pass.
type vector struct {
	Name, Kind string
	Inputs     struct {
		Mode, Method, Body, AppID, MchID, Key, Nonce, Authorization string
		RequestTarget                                               string   `json:"request_target"`
		SignBody                                                    *string  `json:"sign_body"`
		SerialNo                                                    string   `json:"serial_no"`
		NonceStr                                                    string   `json:"nonce_str"`
		PrepayID                                                    string   `json:"prepay_id"`
		APIv3Key                                                    string   `json:"api_v3_key"`
		CandidateSignature                                          string   `json:"candidate_signature"`
		KnownCerts                                                  []string `json:"known_certs"`
		KnownKeys                                                   []string `json:"known_keys"`
		Timestamp, Now                                              int64
		Status                                                      int
		Headers                                                     map[string]string
		Resource                                                    resource
		Order                                                       *struct {
			MchID  string
			Amount struct{ Total int64 }
		}
	}
	Expect struct {
		OK                                bool
		Message, Signature, Authorization string
		Plaintext, Business               string
		EventType                         string `json:"event_type"`
		Params                            map[string]string
		MessageMustDiffer                 string `json:"message_must_differ"`
	}
}

func TestVectors(t *testing.T) {
	kinds := map[string]func(*testing.T, vector){
		"authorization":   checkAuthorizationVector,
		"response-verify": checkResponseVector,
		"notify-decrypt":  checkDecryptVector,
		"notify-verify":   checkNotifyVector,
		"paysign-jsapi":   checkJSAPIVector,
		"paysign-app":     checkAppVector,
	}
	count := map[string]int{}
	for _, v := range readVectors().Cases {
		check, known := kinds[v.Kind]
		if !known {
			t.Fatalf("%s: nothing checks the kind %s", v.Name, v.Kind)
		}
		count[v.Kind]++
		t.Run(v.Kind+"/"+v.Name, func(t *testing.T) { check(t, v) })
	}
	want := map[string]int{
		"authorization": 19, "response-verify": 20, "notify-decrypt": 17, "notify-verify": 27, "paysign-jsapi": 5, "paysign-app": 3,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("cases by kind (-want +got):\n%s", diff)
	}
}

func vectorSigner(t *testing.T, mchID string) *signer {
	t.Helper()
	signer, err := newSigner(mchID, merchantCertificate())
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func checkAuthorizationVector(t *testing.T, v vector) {
	in := v.Inputs
	if in.Mode == "check" {
		var certificates []*x509.Certificate
		for _, name := range in.KnownCerts {
			certificates = append(certificates, testKeys()[name].certificate)
		}
		_, err := oracleAuthorization(in.Authorization, in.Method, in.RequestTarget, in.Body, time.Unix(in.Now, 0), certificates)
		if (err == nil) != v.Expect.OK {
			t.Errorf("taken: %v (%v)", err == nil, err)
		}
		return
	}
	body := in.Body
	if in.SignBody != nil {
		body = *in.SignBody
	}
	signer := vectorSigner(t, in.MchID)
	if signer.serial != in.SerialNo {
		t.Errorf("the serial number is %s, not %s", signer.serial, in.SerialNo)
	}
	message := lines(body, in.Method, in.RequestTarget, strconv.FormatInt(in.Timestamp, 10), in.NonceStr)
	if string(message) != v.Expect.Message {
		t.Errorf("signs\n%s\nnot\n%s", message, v.Expect.Message)
	}
	got, err := signer.authorization(in.Method, in.RequestTarget, []byte(body), time.Unix(in.Timestamp, 0), in.NonceStr)
	if err != nil || got != v.Expect.Authorization {
		t.Errorf("sends %s (%v), not %s", got, err, v.Expect.Authorization)
	}
}

// vectorClient knows the keys of a case, and cannot download others.
func vectorClient(t *testing.T, v vector) *Client {
	options := testOptions()
	options.Certificate, options.PublicKeys = nil, nil
	options.Certificates = wechatpay.NewPlatformCertificates()
	options.Now = func() time.Time { return time.Unix(v.Inputs.Now, 0) }
	var certificates []*x509.Certificate
	for _, name := range v.Inputs.KnownKeys {
		if name == "wechatpay_pub" {
			options.PublicKeys = append(options.PublicKeys, testPublicKey())
			continue
		}
		certificates = append(certificates, testKeys()[name].certificate)
	}
	options.Certificates.Set(certificates, testNow)
	return newTestClient(t, options)
}

func headersOf(v vector) http.Header {
	header := http.Header{}
	for name, value := range v.Inputs.Headers {
		header.Set(name, value)
	}
	return header
}

func checkResponseVector(t *testing.T, v vector) {
	c := vectorClient(t, v)
	read, why := c.verify(t.Context(), headersOf(v), []byte(v.Inputs.Body), c.settings.Now())
	if (why == nil) != v.Expect.OK {
		t.Fatalf("verified: %v (%v)", why == nil, why)
	}
	if v.Expect.OK {
		if message := string(lines(v.Inputs.Body, read.timestamp, read.nonce)); message != v.Expect.Message {
			t.Errorf("verifies\n%q\nnot\n%q", message, v.Expect.Message)
		}
	}
}

func checkDecryptVector(t *testing.T, v vector) {
	key, err := newResourceKey(v.Inputs.APIv3Key)
	var content []byte
	if err == nil {
		content, err = v.Inputs.Resource.open([]resourceKey{key})
	}
	if (err == nil) != v.Expect.OK || string(content) != v.Expect.Plaintext {
		t.Errorf("opened: %q (%v), not %q", content, err, v.Expect.Plaintext)
	}
}

func checkNotifyVector(t *testing.T, v vector) {
	c := vectorClient(t, v)
	var said struct {
		SubMchID string `json:"sub_mchid"`
	}
	if v.Expect.Plaintext != "" {
		if err := json.Unmarshal([]byte(v.Expect.Plaintext), &said); err != nil {
			t.Fatal(err)
		}
	}
	if said.SubMchID != "" {
		c.settings.Partner = testPartner()
	}
	delivery := wechatpay.Delivery{Kind: wechatpay.PaymentCallback, Header: headersOf(v), Body: []byte(v.Inputs.Body), Time: c.settings.Now()}
	got, err := c.Parse(delivery)
	if v.Expect.Business == "mchid_mismatch" {
		expect(t, err, wechatpay.Refused, wechatpay.Rejected, "payment callback: mchid is not ours")
		return
	}
	if (err == nil) != v.Expect.OK {
		t.Fatalf("taken: %v (%v)", err == nil, err)
	}
	if err != nil {
		if got != (wechatpay.Notification{}) || wechatpay.OutcomeOf(err) != wechatpay.Refused {
			t.Errorf("an error with %+v, %v", got, err)
		}
		return
	}
	if !got.Proven || got.KeyID != fingerprintOf(c.verifiers.find(delivery.Header.Get(headerSerial), delivery.Time)) || got.Scheme != SHA256WithRSA {
		t.Errorf("%+v", got)
	}
	switch {
	case v.Expect.EventType == "SOMETHING.NEW":
		if got.Payment != nil || got.Refund != nil {
			t.Errorf("an unknown event is %+v", got)
		}
	case got.Payment != nil && v.Inputs.Order != nil:
		want := map[bool]string{true: "", false: "amount_mismatch"}[got.Payment.Total == v.Inputs.Order.Amount.Total]
		if v.Expect.Business == "match" {
			want = "match"
		}
		if want != v.Expect.Business {
			t.Errorf("%d is %q, not %q", got.Payment.Total, want, v.Expect.Business)
		}
	case got.Payment == nil && got.Refund == nil:
		t.Error("neither a payment nor a refund")
	}
}

// checkPaySign compares a signature, or verifies that a wrong candidate is refused.
func checkPaySign(t *testing.T, v vector, message []byte, got string) {
	t.Helper()
	if v.Expect.OK {
		if string(message) != v.Expect.Message || got != v.Expect.Signature {
			t.Errorf("signs %q as %s", message, got)
		}
		return
	}
	if string(message) == v.Expect.MessageMustDiffer || got == v.Inputs.CandidateSignature {
		t.Error("makes a common mistake")
	}
	signature, err := base64.StdEncoding.DecodeString(v.Inputs.CandidateSignature)
	digest := sha256.Sum256(message)
	if err != nil || rsa.VerifyPKCS1v15(&testKeys()["merchant"].private.PublicKey, crypto.SHA256, digest[:], signature) == nil {
		t.Error("the wrong signature is taken")
	}
}

func checkJSAPIVector(t *testing.T, v vector) {
	in := v.Inputs
	p, err := vectorSigner(t, in.MchID).jsapiParameters(in.AppID, in.PrepayID, in.Nonce, time.Unix(in.Timestamp, 0))
	if err != nil {
		t.Fatal(err)
	}
	checkPaySign(t, v, lines(p.Package, p.AppID, p.TimeStamp, p.NonceStr), p.PaySign)
	got := map[string]string{
		"appId": p.AppID, "nonceStr": p.NonceStr, "package": p.Package, "signType": p.SignType,
		"timeStamp": p.TimeStamp, "paySign": p.PaySign,
	}
	if diff := cmp.Diff(v.Expect.Params, got); v.Expect.OK && diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func checkAppVector(t *testing.T, v vector) {
	in := v.Inputs
	p, err := vectorSigner(t, in.MchID).appParameters(in.AppID, in.MchID, in.PrepayID, in.Nonce, time.Unix(in.Timestamp, 0))
	if err != nil {
		t.Fatal(err)
	}
	checkPaySign(t, v, lines(p.PrepayID, p.AppID, p.Timestamp, p.NonceStr), p.Sign)
	got := map[string]string{
		"appid": p.AppID, "partnerid": p.PartnerID, "prepayid": p.PrepayID, "package": p.Package,
		"noncestr": p.NonceStr, "timestamp": p.Timestamp, "sign": p.Sign,
	}
	if diff := cmp.Diff(v.Expect.Params, got); v.Expect.OK && diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// expect compares an error with the expected outcome, meaning and text; an empty text matches any.
func expect(t testing.TB, err error, outcome wechatpay.Outcome, meaning wechatpay.Meaning, text string) {
	t.Helper()
	failure, ok := errors.AsType[*wechatpay.Error](err)
	if !ok || failure == nil {
		t.Fatalf("got %T %v, not %s/%s", err, err, outcome, meaning)
	}
	if failure.Outcome != outcome || failure.Meaning != meaning {
		t.Errorf("got %s/%s (%v), not %s/%s", failure.Outcome, failure.Meaning, err, outcome, meaning)
	}
	if text != "" && failure.Error() != text {
		t.Errorf("says %q, not %q", failure.Error(), text)
	}
}
