package v2

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// delivery is a reply as bytes on the client's connection.
type delivery struct {
	name  string
	bytes []byte
	// heard is the body that a client may act on; nil if the status is not 200 or the body is
	// incomplete.
	heard []byte
}

// send writes a delivery and closes the connection.
func (d delivery) send(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = connection.Write(d.bytes)
	// The client reads the end of the data before it finds the connection closed.
	if closing, ok := connection.(interface{ CloseWrite() error }); ok {
		_ = closing.CloseWrite()
	}
}

// genuine draws WeChat Pay's genuine replies to each call, success and failure, from which hostile
// ones are made.
func genuine(operation wechatpay.Operation) *rapid.Generator[map[string]string] {
	answers := []map[string]string{
		reply("result_code", "SUCCESS", doneFields[operation]),
		reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID", "err_code_des": "该订单已支付"}),
		reply("result_code", "FAIL", map[string]string{"err_code": "ORDERCLOSED"}),
		reply("result_code", "FAIL", map[string]string{"err_code": "ORDERNOTEXIST"}),
		reply("result_code", "FAIL", map[string]string{"err_code": "SYSTEMERROR"}),
	}
	if operation == wechatpay.OperationQueryOrder {
		paid := reply("trade_state", "SUCCESS", paymentMessage())
		paid["out_trade_no"], paid["appid"], paid["mch_id"] = testNumber, testAppID, testMchID
		answers = append(answers, paid, paid)
	}
	return rapid.SampledFrom(append(answers, answers[0], answers[0]))
}

// hostileValues are values that an attacker would like to be read.
var hostileValues = []string{
	"", "SUCCESS", "FAIL", "0", "1", "-1", "50", "101", "1e3", "0101", "99999999999999999999", " ", "\n", "NOTPAY", "CLOSED", "REFUND",
	"CNY", "USD", testNumber, testRefundNumber, testAppID, testMchID, "1900000110", "MD5", "HMAC-SHA256", "<", "&", "]]>", "a&b=c", "订单",
	strings.Repeat("9", 300),
}

// tampered changes a message before or after it is signed.
func tampered(t *rapid.T, message map[string]string) map[string]string {
	message = maps.Clone(message)
	for range rapid.IntRange(0, 2).Draw(t, "tampering") {
		name := rapid.SampledFrom(append(slices.Sorted(maps.Keys(message)), "sign_type", "refund_count", "extra", "total_fee", "Sign", "sub_mch_id")).Draw(t, "field")
		switch value := rapid.SampledFrom(hostileValues).Draw(t, "value"); rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			delete(message, name)
		case 1:
			message[strings.ToUpper(name)] = message[name]
		default:
			message[name] = value
		}
	}
	return message
}

// hostileSign signs, usually correctly.
func hostileSign(t *rapid.T, message map[string]string) map[string]string {
	right := func() map[string]string { return signed(message, testKey, HMACSHA256) }
	switch rapid.IntRange(0, 15).Draw(t, "sign") {
	case 0:
		return signed(message, testKey, MD5)
	case 1:
		message["sign_type"] = "MD5"
		return signed(message, testKey, MD5)
	case 2:
		return signed(message, rapid.SampledFrom([]string{testOtherKey, testPreviousKey, ""}).Draw(t, "key"), HMACSHA256)
	case 3:
		return without(message, "sign")
	case 4:
		message["sign"] = rapid.SampledFrom([]string{"", " ", "0", strings.Repeat("0", 64), strings.Repeat("0", 32)}).Draw(t, "false sign")
		return message
	case 5:
		message = right()
		message["sign"] = strings.ToLower(message["sign"])
		return message
	case 6: // in a field with another name
		message = right()
		message["SIGN"] = message["sign"]
		return without(message, "sign")
	case 7: // of fewer fields
		whole := maps.Clone(message)
		message = without(message, rapid.SampledFrom(slices.Sorted(maps.Keys(message))).Draw(t, "unsigned"))
		whole["sign"] = right()["sign"]
		return whole
	default:
		return right()
	}
}

// hostileXML encodes a message in one of many ways, some of which are not XML.
func hostileXML(t *rapid.T, message map[string]string) []byte {
	var document strings.Builder
	names := rapid.Permutation(slices.Sorted(maps.Keys(message))).Draw(t, "order")
	document.WriteString(rapid.SampledFrom([]string{"", "", "", `<?xml version="1.0" encoding="UTF-8"?>`, "\n ", "\uFEFF", `<!DOCTYPE xml [<!ENTITY a "1">]>`, "<!-- -->"}).Draw(t, "before"))
	document.WriteString("<xml>")
	for _, name := range names {
		document.WriteString("<" + name + ">" + hostileValue(t, message[name]) + "</" + name + ">")
		document.WriteString(rapid.SampledFrom([]string{"", "", "", "", "", "", "\n", "<!-- -->", "<result_code>SUCCESS</result_code>", "<a><b/></a>", "text"}).Draw(t, "between"))
	}
	document.WriteString("</xml>")
	document.WriteString(rapid.SampledFrom([]string{"", "", "", "\n\n", "<xml/>", "\x00", "x"}).Draw(t, "after"))
	body := []byte(document.String())
	switch rapid.IntRange(0, 15).Draw(t, "bytes") {
	case 0:
		body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case 1:
		body = body[:rapid.IntRange(0, len(body)).Draw(t, "cut")]
	case 2:
		body = append(body, body...)
	case 3:
		wide := []byte{0xFF, 0xFE}
		for _, unit := range utf16.Encode([]rune(string(body))) {
			wide = binary.LittleEndian.AppendUint16(wide, unit)
		}
		body = wide
	}
	return body
}

// hostileValue encodes a value so that correct parsers read it, and careless ones something else.
func hostileValue(t *rapid.T, value string) string {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(value))
	if strings.Contains(value, cdataEnd) {
		return escaped.String()
	}
	switch half := len(value) / 2; rapid.IntRange(0, 9).Draw(t, "writing") {
	case 0:
		return escaped.String()
	case 1: // half of it in each of two sections
		return cdataStart + value[:half] + cdataEnd + cdataStart + value[half:] + cdataEnd
	case 2:
		var references strings.Builder
		for _, r := range value {
			fmt.Fprintf(&references, "&#x%X;", r)
		}
		return references.String()
	case 3: // a section inside text
		return "&lt;![CDATA[" + escaped.String() + "]]&gt;"
	case 4: // a comment in the middle
		return cdataStart + value[:half] + cdataEnd + "<!-- -->" + cdataStart + value[half:] + cdataEnd
	default:
		return cdataStart + value + cdataEnd
	}
}

// deliveries draws the delivery of a body, usually a correct one.
func deliveries(t *rapid.T, body []byte, elsewhere string) delivery {
	sized := func(length int, more string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", more, length)
	}
	whole := delivery{"whole", append([]byte(sized(len(body), "")), body...), body}
	chunks := func() []byte {
		var text bytes.Buffer
		for rest := body; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(1, 400).Draw(t, "chunk"))
			fmt.Fprintf(&text, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		return text.Bytes()
	}
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	switch rapid.IntRange(0, 24).Draw(t, "delivery") {
	case 0:
		status := rapid.SampledFrom([]int{100, 101, 199, 201, 202, 203, 204, 205, 206, 226, 300, 304, 400, 401, 403, 404, 418, 429, 500, 502, 503, 999}).Draw(t, "status")
		return delivery{"another status", fmt.Appendf(nil, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body), nil}
	case 1:
		status := rapid.SampledFrom([]int{301, 302, 303, 307, 308}).Draw(t, "status")
		return delivery{"redirect", fmt.Appendf(nil, "HTTP/1.1 %d X\r\nLocation: %s/pay/orderquery\r\nContent-Length: %d\r\n\r\n%s", status, elsewhere, len(body), body), nil}
	case 2:
		return delivery{"redirect with 200", append([]byte(sized(len(body), "Location: "+elsewhere+"\r\nRefresh: 0; url="+elsewhere+"\r\n")), body...), body}
	case 3:
		more := rapid.IntRange(1, 1000).Draw(t, "missing")
		return delivery{"cut short", append([]byte(sized(len(body)+more, "")), body...), nil}
	case 4:
		// The client reads the length that the header announces; the rest belongs to no message.
		length := rapid.IntRange(0, len(body)).Draw(t, "length")
		return delivery{"a length too small", append([]byte(sized(length, "")), body...), body[:length]}
	case 5:
		return delivery{"chunks", slices.Concat([]byte(chunked), chunks(), []byte("0\r\n\r\n")), body}
	case 6:
		return delivery{"chunks without their end", slices.Concat([]byte(chunked), chunks()), nil}
	case 7:
		return delivery{"a chunk of no size", slices.Concat([]byte(chunked), chunks(), []byte("zz\r\n")), nil}
	case 8:
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(body)
		_ = w.Close()
		// The client did not request compression. It reads the bytes as they are, which are no
		// message.
		return delivery{"gzip", append([]byte(sized(packed.Len(), "Content-Encoding: gzip\r\n")), packed.Bytes()...), packed.Bytes()}
	case 9:
		return delivery{"gzip in name only", append([]byte(sized(len(body), "Content-Encoding: gzip\r\n")), body...), body}
	case 10:
		return delivery{"continue first", append([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), whole.bytes...), body}
	case 11:
		return delivery{"continue for ever", append(bytes.Repeat([]byte("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n"), 200), whole.bytes...), nil}
	case 12:
		return delivery{"header without end", append([]byte(sized(len(body), "X: "+strings.Repeat("x", 100<<10)+"\r\n")), body...), nil}
	case 13:
		return delivery{"until the end", append([]byte("HTTP/1.0 200 OK\r\n\r\n"), body...), body}
	case 14:
		return delivery{"two lengths", append([]byte(sized(len(body), "Content-Length: 1\r\n")), body...), nil}
	case 15:
		return delivery{"no HTTP", body, nil}
	case 16:
		return delivery{"two replies", append(slices.Clone(whole.bytes), whole.bytes...), body}
	case 17:
		return delivery{"another charset", append([]byte(sized(len(body), "Content-Type: text/xml; charset=gbk\r\n")), body...), body}
	default:
		return whole
	}
}

// endless sends a header and then the same bytes until the client closes the connection.
func endless(header, piece string, hungUp chan<- struct{}) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close(); hungUp <- struct{}{} }()
		_, err = io.WriteString(connection, header)
		for err == nil {
			_, err = io.WriteString(connection, piece)
		}
	}
}

// dripping sends bytes one by one, slowly, until the client closes the connection.
func dripping(ctx context.Context, text string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		for i := 0; err == nil && ctx.Err() == nil && !gone(connection); i++ {
			_, err = io.WriteString(connection, text[min(i, len(text)-1):min(i, len(text)-1)+1])
		}
	}
}

// gone waits for a moment and reports whether the remote side has closed the connection.
func gone(connection net.Conn) bool {
	_ = connection.SetReadDeadline(deadlineIn(dripInterval))
	_, err := connection.Read(make([]byte, 1))
	timeout, slow := errors.AsType[net.Error](err)
	return err != nil && (!slow || !timeout.Timeout())
}
