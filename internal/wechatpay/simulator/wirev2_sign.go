package simulator

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// message is a flat document of the protocol: names and decoded values.
type message map[string]string

// stringToSign joins the fields in order of their names, without empty values and sign, and appends
// the key. Values are used verbatim: the protocol escapes nothing.
func stringToSign(fields message, key string) string {
	names := make([]string, 0, len(fields))
	for name, value := range fields {
		if name != "sign" && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		text.WriteString(name + "=" + fields[name] + "&")
	}
	text.WriteString("key=" + key)
	return text.String()
}

// signature computes the value of sign. The HMAC uses the key twice: as its key and inside the
// text.
func signature(fields message, key string, signType SignType) string {
	text := stringToSign(fields, key)
	var sum []byte
	if signType == HMACSHA256 {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		sum = mac.Sum(nil)
	} else {
		digest := md5.Sum([]byte(text))
		sum = digest[:]
	}
	return strings.ToUpper(hex.EncodeToString(sum))
}

// signed adds nonce_str and sign to a copy of the fields.
func signed(fields message, key string, signType SignType) message {
	out := maps.Clone(fields)
	out["nonce_str"] = newNonce()
	out["sign"] = signature(out, key, signType)
	return out
}

// signTypeOf reads sign_type; absent means MD5.
func signTypeOf(fields message) (SignType, bool) {
	switch fields["sign_type"] {
	case "", string(MD5):
		return MD5, true
	case string(HMACSHA256):
		return HMACSHA256, true
	}
	return "", false
}

// isSignedBy verifies the signature of a request.
func isSignedBy(fields message, key string) bool {
	signType, known := signTypeOf(fields)
	if !known || fields["sign"] == "" {
		return false
	}
	want := signature(fields, key, signType)
	return subtle.ConstantTimeCompare([]byte(fields["sign"]), []byte(want)) == 1
}
