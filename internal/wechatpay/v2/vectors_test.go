package v2

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// vector is a test case that any implementation of the protocol must pass.
type vector struct {
	Name, Kind, Key string
	Expect          json.RawMessage
	Params          map[string]string
	StringToSign    string   `json:"string_to_sign"`
	ExpectNot       []string `json:"expect_not"`
	Input           struct {
		AppID     string `json:"appid"`
		MchID     string `json:"mch_id"`
		PrepayID  string `json:"prepay_id"`
		Nonce     string `json:"nonce_str"`
		Timestamp string
		SignType  wechatpay.Scheme `json:"sign_type"`
	}
	RequestInfo string `json:"req_info"`
	XML         string
	XMLBase64   string `json:"xml_base64"`
}

// document returns the bytes of an XML case, which are base64 if they are not UTF-8.
func (v vector) document(t testing.TB) []byte {
	if v.XMLBase64 == "" {
		return []byte(v.XML)
	}
	document, err := base64.StdEncoding.DecodeString(v.XMLBase64)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func (v vector) expect(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(v.Expect, into); err != nil {
		t.Fatal(err)
	}
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("../testdata/vectors-v2.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVectors(t *testing.T) {
	kinds := map[string]func(*testing.T, vector){
		"sign-md5":         func(t *testing.T, v vector) { checkSignVector(t, v, MD5) },
		"sign-hmac-sha256": func(t *testing.T, v vector) { checkSignVector(t, v, HMACSHA256) },
		"paysign-jsapi":    checkJSAPIVector,
		"paysign-app":      checkAppVector,
		"refund-req-info":  checkRefundInfoVector,
		"xml-parse":        checkParseVector,
		"xml-reject":       checkRejectVector,
	}
	count := map[string]int{}
	for _, v := range vectors(t) {
		check, known := kinds[v.Kind]
		if !known {
			t.Fatalf("%s: nothing checks the kind %s", v.Name, v.Kind)
		}
		count[v.Kind]++
		t.Run(v.Kind+"/"+v.Name, func(t *testing.T) { check(t, v) })
	}
	want := map[string]int{
		"sign-md5": 18, "sign-hmac-sha256": 12, "paysign-jsapi": 3, "paysign-app": 2,
		"refund-req-info": 12, "xml-parse": 18, "xml-reject": 32,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("cases by kind (-want +got):\n%s", diff)
	}
}

func checkSignVector(t *testing.T, v vector, algorithm wechatpay.Scheme) {
	var want string
	v.expect(t, &want)
	message := asFields(v.Params)
	if text := string(appendTextToSign(nil, message, v.Key)); text != v.StringToSign {
		t.Errorf("signs the text\n%s\nnot\n%s", text, v.StringToSign)
	}
	got := newSigner(v.Key).sign(message, algorithm)
	if got != want {
		t.Errorf("signs %s, not %s", got, want)
	}
	for _, mistake := range v.ExpectNot {
		if got == mistake {
			t.Errorf("makes a common mistake: %s", mistake)
		}
	}
}

func checkJSAPIVector(t *testing.T, v vector) {
	var want map[string]string
	v.expect(t, &want)
	p := newSigner(v.Key).jsapiParameters(v.Input.AppID, v.Input.PrepayID, v.Input.Nonce, v.Input.Timestamp, v.Input.SignType)
	got := map[string]string{
		"appId": p.AppID, "nonceStr": p.NonceStr, "package": p.Package, "signType": p.SignType,
		"timeStamp": p.TimeStamp, "paySign": p.PaySign,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func checkAppVector(t *testing.T, v vector) {
	var want map[string]string
	v.expect(t, &want)
	p := newSigner(v.Key).appParameters(v.Input.AppID, v.Input.MchID, v.Input.PrepayID, v.Input.Nonce, v.Input.Timestamp, v.Input.SignType)
	got := map[string]string{
		"appid": p.AppID, "partnerid": p.PartnerID, "prepayid": p.PrepayID, "package": p.Package,
		"noncestr": p.NonceStr, "timestamp": p.Timestamp, "sign": p.Sign,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func checkRefundInfoVector(t *testing.T, v vector) {
	var want struct {
		Plaintext, Error string
		Fields           map[string]string
	}
	v.expect(t, &want)
	got, err := newSigner(v.Key).readRefundInfo(v.RequestInfo)
	if want.Error != "" {
		checkLabel(t, err, want.Error)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := newSigner(v.Key).decryptRefundInfo(v.RequestInfo)
	if err != nil || string(plaintext) != want.Plaintext {
		t.Errorf("decrypts to %q (%v), not %q", plaintext, err, want.Plaintext)
	}
	if diff := cmp.Diff(want.Fields, asMap(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func checkParseVector(t *testing.T, v vector) {
	var want struct {
		Root   string
		Fields map[string]string
	}
	v.expect(t, &want)
	got, err := readFields(v.document(t), want.Root, maxReplyFields)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Fields, asMap(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func checkRejectVector(t *testing.T, v vector) {
	var want struct{ Error string }
	v.expect(t, &want)
	_, err := readFields(v.document(t), messageRoot, maxReplyFields)
	checkLabel(t, err, want.Error)
}

func checkLabel(t *testing.T, err error, want string) {
	t.Helper()
	var label documentError
	if !errors.As(err, &label) || string(label) != want {
		t.Errorf("refused with %v, not with %s", err, want)
	}
	if err != nil && strings.ContainsAny(err.Error(), "<>&\n") {
		t.Errorf("the error repeats what it refuses: %q", err)
	}
}
