package simulator

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
)

// draft is a reply before it is signed.
type draft struct {
	fields message
	// outcome is the call's outcome in the ledger.
	outcome string
	// unsigned replies fail at the communication level; all others are signed, failures included.
	unsigned bool
}

// draftOf turns the result of an API into a reply.
func draftOf(c *callV2, fields message, err error) draft {
	err = sayV2(err)
	var refused refusal
	if errors.As(err, &refused) {
		code := cmp.Or(refused.code, "FAIL")
		reply := message{"return_code": code, "return_msg": refused.message}
		if refused.errorCode != "" {
			reply["error_code"] = refused.errorCode
		}
		return draft{reply, refused.message, true}
	}
	reply := message{
		"return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS",
		"appid": c.request["appid"], "mch_id": c.request["mch_id"],
		"sub_appid": c.request["sub_appid"], "sub_mch_id": c.request["sub_mch_id"],
	}
	if err == nil {
		maps.Copy(reply, fields)
		return draft{fields: reply, outcome: "SUCCESS"}
	}
	var failed failure
	if !errors.As(err, &failed) {
		failed = failure{code: "SYSTEMERROR", description: "系统错误"}
	}
	reply["result_code"], reply["err_code"], reply["err_code_des"] = "FAIL", failed.code, failed.description
	return draft{fields: reply, outcome: failed.code}
}

// send signs a reply with the request's key and sign type and sends it, damaged if a fault requires
// it.
func (c *callV2) send(s *Simulator, w http.ResponseWriter, result any, err error, f *Fault) {
	if file, isBill := result.(billFile); isBill && err == nil {
		s.sendBill(w, &c.call, file, f)
		return
	}
	fields, _ := result.(message)
	d := draftOf(c, fields, err)
	kind := f.kind()
	if f != nil {
		tamper(d.fields, f)
	}
	s.record(&c.call, d.outcome, kind)
	if !d.unsigned && kind != FaultUnsigned {
		key := c.key
		if kind == FaultBadSignature || kind == FaultSignTest || kind == FaultUnknownSerial {
			key = randomText(32)
		}
		d.fields = signed(d.fields, key, c.signType)
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	writeDamaged(w, http.StatusOK, formatXML(d.fields, "xml"), kind)
}

// tamper changes a reply before it is signed, so that the signature is valid.
func tamper(reply message, f *Fault) {
	switch f.Kind {
	case FaultWrongNumber:
		for _, field := range []string{"out_trade_no", "out_refund_no", "out_refund_no_0", "transaction_id", "refund_id"} {
			if reply[field] != "" {
				reply[field] = "another" + reply[field][min(7, len(reply[field])):]
			}
		}
	case FaultWrongSubMchID:
		if reply["sub_mch_id"] != "" {
			reply["sub_mch_id"] = foreignMchID
		}
	case FaultExtraFields:
		addExtraFields(reply, f)
	case FaultSparse:
		maps.DeleteFunc(reply, func(name, _ string) bool { return !slices.Contains(promised, name) })
	}
}

// addExtraFields adds fields that WeChat Pay may introduce: a client must include them in the
// signature and otherwise ignore them.
func addExtraFields(reply message, f *Fault) {
	extra := f.Fields
	if len(extra) == 0 {
		extra = map[string]string{"some_future_field": "新字段", "some_future_count": "3", "Zeta": "a & b = c <d> ]]>"}
	}
	maps.Copy(reply, extra)
}

// promised are the fields that are documented for every trade_state.
var promised = []string{"return_code", "return_msg", "result_code", "err_code", "err_code_des", "appid", "mch_id",
	"sub_appid", "sub_mch_id", "out_trade_no", "attach", "trade_state", "trade_state_desc"}

func writeHTML(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html>\r\n<head><title>"+title+"</title></head>\r\n<body>\r\n<center><h1>"+title+
		"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
}
