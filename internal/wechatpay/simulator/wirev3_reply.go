package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// document is a JSON object that is sent.
type document map[string]any

// set adds a member unless it is empty.
func (d document) set(name, value string) {
	if value != "" {
		d[name] = value
	}
}

func (d document) bytes() []byte {
	if d == nil {
		return nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // documents hold texts and numbers only
	}
	return text
}

// replace sets the member at a path; the value of a number stays a number.
func (d document) replace(path []string, value string) {
	if inner, isObject := d[path[0]].(document); isObject && len(path) > 1 {
		inner.replace(path[1:], value)
		return
	}
	name := strings.Join(path, ".")
	if _, isNumber := d[name].(int64); isNumber {
		if number, err := strconv.ParseInt(value, 10, 64); err == nil {
			d[name] = number
			return
		}
	}
	d[name] = value
}

// namesV3 are the paths of members in API v3 for names of API v2.
var namesV3 = map[string]string{
	"mch_id": "mchid", "body": "description", "total_fee": "amount.total", "fee_type": "amount.currency", "mweb_url": "h5_url",
	"refund_fee": "amount.refund", "refund_desc": "reason", "refund_fee_0": "amount.refund", "refund_status_0": "status",
	"refund_id_0": "refund_id", "out_refund_no_0": "out_refund_no",
}

// ParamName returns a protocol's name of a parameter or a member that API v2 calls by the given
// one. Faults that change members take either.
func ParamName(protocol Protocol, name string) string {
	if protocol == ProtocolV3 {
		return cmp.Or(namesV3[name], name)
	}
	return name
}

// answerV3 is a successful answer; 204 has no document.
type answerV3 struct {
	status   int
	document document
}

func ok(d document) answerV3 { return answerV3{status: http.StatusOK, document: d} }

// errorDocument is the body of a failure.
func errorDocument(c *callV3, p problem) document {
	out := document{"code": p.code, "message": p.message}
	if p.field != "" {
		detail := document{"field": p.field, "issue": p.issue, "location": "body"}
		if p.status == http.StatusUnauthorized {
			detail["location"] = "authorization"
			detail["sign_information"] = document{"method": c.method, "url": c.target, "truncated_sign_message": truncatedMessage(c)}
		}
		out["detail"] = detail
	}
	return out
}

// truncatedMessage is what WeChat Pay shows of the message whose signature it expected.
func truncatedMessage(c *callV3) string {
	given, _ := parseAuthorization(c.header.Get("Authorization")) // what can't be read is left out
	message := requestMessage(c.method, c.target, given.timestamp, given.nonce, c.body)
	return strings.ToValidUTF8(message[:min(len(message), 100)], "")
}

// send signs an answer and sends it, damaged if a fault requires it.
func (c *callV3) send(s *Simulator, w http.ResponseWriter, result any, err error, f *Fault) {
	if file, isBill := result.(billFile); isBill && err == nil {
		s.sendBill(w, &c.call, file, f)
		return
	}
	answer, _ := result.(answerV3)
	outcome, internal, unsigned := "SUCCESS", internalOK, false
	if err != nil {
		said := sayV3(c.operation, err, f)
		answer = answerV3{status: said.status, document: errorDocument(c, said)}
		outcome, internal, unsigned = said.code, said.internal, said.unsigned || s.rules.unsignedErrors || c.operation == OperationBillFile
	}
	kind := f.kind()
	if f != nil {
		tamperV3(answer.document, f)
	}
	s.record(&c.call, outcome, kind)
	body := answer.document.bytes()
	header := w.Header()
	header.Set("Request-ID", fmt.Sprintf("08%s-%d", strings.ToUpper(randomHex(16)), internal))
	header.Set("Date", s.wireTime().UTC().Format(http.TimeFormat))
	if body != nil {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if !unsigned && kind != FaultUnsigned {
		by := s.answerSigner(c.merchant, c.header.Get("Wechatpay-Serial"))
		sign(header, by, s.wireTime().Unix(), body, f)
	}
	writeDamaged(w, answer.status, body, kind)
}

// strangersKey signs what is forged.
var strangersKey = sync.OnceValue(NewRSAKey)

// sign sets the signature headers, or false ones if a fault requires it.
func sign(header http.Header, by signer, timestamp int64, body []byte, f *Fault) {
	nonce, seconds := newNonce(), strconv.FormatInt(timestamp, 10)
	switch f.kind() {
	case FaultBadSignature, FaultForge:
		by.key = strangersKey() // under a serial number that is known
	case FaultUnknownSerial:
		by = signer{serial: strings.ToUpper(randomHex(20)), key: strangersKey()}
	}
	signature := signRSA(by.key, seconds+"\n"+nonce+"\n"+string(body)+"\n")
	if f.kind() == FaultSignTest {
		signature = signTest(f.Struck)
	}
	for name, value := range map[string]string{
		"Wechatpay-Timestamp": seconds, "Wechatpay-Nonce": nonce, "Wechatpay-Signature": signature, "Wechatpay-Serial": by.serial,
		"Wechatpay-Signature-Type": schemeV3,
	} {
		header.Set(name, value)
	}
}

// signTest is a probe of whether merchants verify: a wrong signature, every second one not even
// base64.
func signTest(struck int) string {
	const prefix = "WECHATPAY/SIGNTEST/"
	probe := prefix + randomText(342-len(prefix))
	if struck%2 == 1 {
		return probe[:341] + "A=="
	}
	return probe + "="
}

// writeDamaged writes an answer, or what a fault leaves of it.
func writeDamaged(w http.ResponseWriter, status int, body []byte, kind FaultKind) {
	switch {
	case kind == FaultTruncate && len(body) > 0:
		body = body[:len(body)/2]
	case kind == FaultCut:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush() // the connection breaks in any case
		simulation.DropConnection(w)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a disconnected client misses the answer
}

// promisedV3 are the members that are documented for every trade_state.
var promisedV3 = []string{"code", "message", "mchid", "appid", "sp_mchid", "sp_appid", "sub_mchid", "sub_appid", "out_trade_no",
	"attach", "trade_state", "trade_state_desc"}

// tamperV3 changes an answer before it is signed, so that the signature is valid.
func tamperV3(d document, f *Fault) {
	if d == nil {
		return
	}
	switch f.Kind {
	case FaultWrongNumber:
		for _, name := range []string{"out_trade_no", "out_refund_no", "transaction_id", "refund_id"} {
			if number, isText := d[name].(string); isText {
				d[name] = "another" + number[min(7, len(number)):]
			}
		}
	case FaultWrongSubMchID:
		if d["sub_mchid"] != nil {
			d["sub_mchid"] = foreignMchID
		}
	case FaultExtraFields:
		extra := message{}
		addExtraFields(extra, f)
		for name, value := range extra {
			d.replace(strings.Split(ParamName(ProtocolV3, name), "."), value)
		}
	case FaultSparse:
		maps.DeleteFunc(d, func(name string, _ any) bool { return !slices.Contains(promisedV3, name) })
	}
}
