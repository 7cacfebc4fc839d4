package callbackprobe

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
)

var (
	// ErrOtherServer: the answer was not made by a replica of this operator for this probe.
	ErrOtherServer = errors.New("another server answered")
	// ErrAltered: a replica answered, but it received another body than the one sent.
	ErrAltered = errors.New("the body was modified on the path")
)

// reply is a parsed answer.
type reply struct {
	XMLName xml.Name `xml:"callback_check_answer"`
	Arrived string   `xml:"arrived"`
	Code    string   `xml:"code"`
}

// Check verifies that an answer proves that the probe arrived unmodified. The error is
// ErrOtherServer or ErrAltered.
func (p Probe) Check(answer []byte) error {
	var parsed reply
	if len(answer) > MaxAnswer || xml.Unmarshal(answer, &parsed) != nil {
		return ErrOtherServer
	}
	arrived := strings.TrimSpace(parsed.Arrived)
	if !sameCode(strings.TrimSpace(parsed.Code), p.keys.answerCode(p.target, p.nonce, arrived)) {
		return ErrOtherServer
	}
	if arrived != checksum(p.Body) {
		return ErrAltered
	}
	return nil
}

// IsRefusal distinguishes a callback server's refusal from that of a proxy in front of it. It is
// only a hint, because anyone can send the same text.
func IsRefusal(answer []byte) bool {
	return bytes.HasPrefix(answer, []byte("<xml><return_code><![CDATA[FAIL]]></return_code>")) || bytes.HasPrefix(answer, []byte(`{"code":"FAIL","message":`))
}
