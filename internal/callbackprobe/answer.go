package callbackprobe

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
)

var (
	// ErrStranger: what came back was not made by a replica of this operator, for this probe.
	ErrStranger = errors.New("somebody else answered")
	// ErrAltered: a replica answered, but the body that it got is not the one that was sent.
	ErrAltered = errors.New("the body was changed on the way")
)

// reply is an answer as it is read.
type reply struct {
	XMLName xml.Name `xml:"callback_check_answer"`
	Arrived string   `xml:"arrived"`
	Code    string   `xml:"code"`
}

// Check says whether an answer proves that the probe arrived, and as it was sent. The error is ErrStranger or ErrAltered.
func (p Probe) Check(answer []byte) error {
	var said reply
	if len(answer) > MaxAnswer || xml.Unmarshal(answer, &said) != nil {
		return ErrStranger
	}
	arrived := strings.TrimSpace(said.Arrived)
	if !sameCode(strings.TrimSpace(said.Code), p.keys.answerCode(p.target, p.nonce, arrived)) {
		return ErrStranger
	}
	if arrived != checksum(p.Body) {
		return ErrAltered
	}
	return nil
}

// IsRefusal tells a callback server's own no from that of anything in front of it. It proves nothing, as anybody can say so.
func IsRefusal(answer []byte) bool {
	return bytes.HasPrefix(answer, []byte("<xml><return_code><![CDATA[FAIL]]></return_code>"))
}
