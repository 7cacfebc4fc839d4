package simulator

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
)

// spoilBill is what a fault makes of a bill before it is hashed.
func spoilBill(text []byte, f *Fault) []byte {
	if f == nil {
		return text
	}
	switch f.Kind {
	case FaultOtherMerchant:
		return []byte(strings.ReplaceAll(string(text), "`"+f.MchID+",", "`"+foreignMchID+","))
	case FaultRenamedColumn:
		return []byte(strings.NewReplacer("应结订单金额", "应结金额", "收支金额(元)", "收支金额(分)").Replace(string(text)))
	default:
		return text
	}
}

// hashOf is the hash of a bill that WeChat Pay announces.
func hashOf(text []byte, f *Fault) string {
	if f != nil && f.Kind == FaultWrongDigest {
		text = []byte("another bill")
	}
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}

// packed is the file that is sent.
func (b billFile) packed() []byte {
	if !b.gzip {
		return b.text
	}
	var file bytes.Buffer
	packing := gzip.NewWriter(&file)
	_, _ = packing.Write(b.text) // a buffer takes everything
	_ = packing.Close()
	return file.Bytes()
}

// sendBill answers with a bill, which is not signed, damaged if a fault requires it. Half of the file in a
// complete answer is half of the text: the packing is whole.
func (s *Simulator) sendBill(w http.ResponseWriter, c *call, b billFile, f *Fault) {
	kind := f.kind()
	s.record(c, "SUCCESS", kind)
	if b.digest != "" {
		w.Header().Set("Digest", b.digest)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if kind == FaultTruncate {
		b.text, kind = b.text[:len(b.text)/2], ""
	}
	writeDamaged(w, http.StatusOK, b.packed(), kind)
}
