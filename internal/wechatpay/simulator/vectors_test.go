package simulator

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"

	. "github.com/onsi/gomega"
)

type vector struct {
	Name         string            `json:"name"`
	Kind         string            `json:"kind"`
	Key          string            `json:"key"`
	Params       map[string]string `json:"params"`
	StringToSign string            `json:"string_to_sign"`
	ReqInfo      string            `json:"req_info"`
	XML          string            `json:"xml"`
	XMLBase64    string            `json:"xml_base64"`
	Expect       json.RawMessage   `json:"expect"`
}

func TestVectors(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile("../testdata/vectors-v2.json")
	g.Expect(err).NotTo(HaveOccurred())
	var vectors []vector
	g.Expect(json.Unmarshal(content, &vectors)).To(Succeed())

	tests := map[string]func(*WithT, vector){
		"sign-md5":         func(g *WithT, v vector) { testSignature(g, v, MD5) },
		"sign-hmac-sha256": func(g *WithT, v vector) { testSignature(g, v, HMACSHA256) },
		"refund-req-info":  testRefundInfo,
		"xml-parse":        testParse,
		"xml-reject":       testReject,
	}
	ran := map[string]int{}
	for _, v := range vectors {
		if test, known := tests[v.Kind]; known {
			ran[v.Kind]++
			t.Run(v.Kind+"/"+v.Name, func(t *testing.T) { test(NewWithT(t), v) })
		}
	}
	g.Expect(ran).To(Equal(map[string]int{
		"sign-md5": 18, "sign-hmac-sha256": 12, "refund-req-info": 12, "xml-parse": 18, "xml-reject": 32,
	}))
}

func testSignature(g *WithT, v vector, signType SignType) {
	var want string
	g.Expect(json.Unmarshal(v.Expect, &want)).To(Succeed())
	g.Expect(stringToSign(v.Params, v.Key)).To(Equal(v.StringToSign))
	g.Expect(signature(v.Params, v.Key, signType)).To(Equal(want))
}

func testRefundInfo(g *WithT, v vector) {
	var want struct {
		Plaintext string            `json:"plaintext"`
		Fields    map[string]string `json:"fields"`
		Error     string            `json:"error"`
	}
	g.Expect(json.Unmarshal(v.Expect, &want)).To(Succeed())
	fields, err := OpenRefundInfo(v.ReqInfo, v.Key)
	if want.Error != "" {
		g.Expect(err).To(HaveOccurred())
		return
	}
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(fields).To(Equal(want.Fields))
	sealed, err := sealRefundInfo([]byte(want.Plaintext), v.Key)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(sealed).To(Equal(v.ReqInfo), "sealing is the reverse of opening")
}

func testParse(g *WithT, v vector) {
	var want struct {
		Root   string  `json:"root"`
		Fields message `json:"fields"`
	}
	g.Expect(json.Unmarshal(v.Expect, &want)).To(Succeed())
	fields, err := parseXML([]byte(v.XML), want.Root)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(fields).To(Equal(want.Fields))

	again, err := parseXML(formatXML(fields, want.Root), want.Root)
	g.Expect(err).NotTo(HaveOccurred())
	for name, value := range want.Fields {
		g.Expect(again[name]).To(Equal(value), "%s survives writing and reading", name)
	}
}

func testReject(g *WithT, v vector) {
	document := []byte(v.XML)
	if v.XMLBase64 != "" {
		raw, err := base64.StdEncoding.DecodeString(v.XMLBase64)
		g.Expect(err).NotTo(HaveOccurred())
		document = raw
	}
	var want struct{ Error string }
	g.Expect(json.Unmarshal(v.Expect, &want)).To(Succeed())
	_, err := parseXML(document, "xml")
	g.Expect(err).To(HaveOccurred())
	if want.Error == "not-utf8" {
		g.Expect(err).To(MatchError(errNotUTF8))
	} else {
		g.Expect(err).To(MatchError(errNotXML))
	}
}

func TestFormatXMLWritesAsWeChatDoes(t *testing.T) {
	g := NewWithT(t)
	document := formatXML(message{
		"total_fee": "101", "coupon_fee_1_0": "5", "refund_count": "2", "out_trade_no": "123456", "attach": "x]]>y", "empty": "",
	}, "xml")
	g.Expect(string(document)).To(Equal("<xml><attach><![CDATA[x]]]]><![CDATA[>y]]></attach>\n" +
		"<coupon_fee_1_0>5</coupon_fee_1_0>\n<out_trade_no><![CDATA[123456]]></out_trade_no>\n" +
		"<refund_count>2</refund_count>\n<total_fee>101</total_fee>\n</xml>"))
	carriage, err := parseXML(formatXML(message{"attach": "a\r\nb"}, "xml"), "xml")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(carriage["attach"]).To(Equal("a\r\nb"), "a CR survives, since it is part of the signature")
}

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(`<xml><a>1</a><b><![CDATA[x]]></b></xml>`))
	f.Add([]byte(`<?xml version="1.0" encoding="UTF-8"?><xml><a>&amp;&#10;</a></xml> `))
	f.Fuzz(func(t *testing.T, document []byte) {
		fields, err := parseXML(document, "xml")
		if err != nil {
			return
		}
		again, err := parseXML(formatXML(fields, "xml"), "xml")
		if err != nil {
			t.Fatalf("can't read what was written from %q: %v", document, err)
		}
		for name, value := range fields {
			if again[name] != value {
				t.Fatalf("%s: %q became %q", name, value, again[name])
			}
		}
	})
}
