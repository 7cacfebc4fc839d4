package v2

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// This file implements the code under test in the simplest way, with encoding/xml and maps. Tests
// compare the two.

var errOracle = errors.New("not a message")

// oracleRead parses a message with encoding/xml.
func oracleRead(document []byte, root string) (map[string]string, error) {
	if len(document) > maxDocument || !utf8.Valid(document) {
		return nil, errOracle
	}
	if bytes.HasPrefix(document, []byte("<?")) {
		found := declaration.FindSubmatch(bytes.ReplaceAll(document, []byte("\r"), []byte("\n")))
		if found == nil || len(found[1]) > 0 && !strings.EqualFold(string(found[1]), "utf-8") {
			return nil, errOracle
		}
		document = document[len(found[0]):]
	}
	message := map[string]string{}
	decoder := xml.NewDecoder(bytes.NewReader(document))
	var open []string
	var text strings.Builder
	roots := 0
	for {
		start := decoder.InputOffset()
		token, err := decoder.RawToken()
		raw := string(document[start:decoder.InputOffset()])
		if errors.Is(err, io.EOF) {
			if len(open) > 0 || roots != 1 {
				return nil, errOracle
			}
			return message, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Space != "" || len(token.Attr) > 0 || len(open) == 2 || !oracleName(token.Name.Local) {
				return nil, errOracle
			}
			if len(open) == 0 {
				if roots++; token.Name.Local != root || roots > 1 {
					return nil, errOracle
				}
			}
			open = append(open, token.Name.Local)
			text.Reset()
		case xml.EndElement:
			if len(open) == 0 || token.Name.Space != "" || open[len(open)-1] != token.Name.Local {
				return nil, errOracle
			}
			if len(open) == 2 {
				if _, twice := message[token.Name.Local]; twice {
					return nil, errOracle
				}
				message[token.Name.Local] = text.String()
			}
			open = open[:len(open)-1]
		case xml.CharData:
			switch {
			case len(open) == 2 && !namesHalfACharacter(raw):
				text.Write(token)
			case strings.Trim(raw, " \t\r\n") != "":
				return nil, errOracle
			}
		case xml.Comment:
			if len(open) == 2 {
				return nil, errOracle
			}
		default:
			return nil, errOracle
		}
	}
}

// namesHalfACharacter finds references to surrogates, which encoding/xml reads as U+FFFD although
// XML does not permit them.
func namesHalfACharacter(raw string) bool {
	if strings.HasPrefix(raw, "<![CDATA[") {
		return false
	}
	for _, reference := range regexp.MustCompile(`&#(x?)([0-9a-fA-F]+);`).FindAllStringSubmatch(raw, -1) {
		base := 10
		if reference[1] == "x" {
			base = 16
		}
		if number, err := strconv.ParseUint(reference[2], base, 32); err == nil && number >= 0xD800 && number <= 0xDFFF {
			return true
		}
	}
	return false
}

func oracleName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		later := r >= '0' && r <= '9' || r == '-' || r == '.'
		if !letter && (i == 0 || !later) {
			return false
		}
	}
	return name != ""
}

// oracleSign signs a message as defined in chapter 4_3.
func oracleSign(message map[string]string, key string, algorithm wechatpay.Scheme) string {
	var text string
	for _, name := range slices.Sorted(maps.Keys(message)) {
		if name != "sign" && message[name] != "" {
			text += name + "=" + message[name] + "&"
		}
	}
	text += "key=" + key
	h := md5.New()
	if algorithm == HMACSHA256 {
		h = hmac.New(sha256.New, []byte(key))
	}
	h.Write([]byte(text))
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
}

func oracleVerifies(message map[string]string, key string, algorithm wechatpay.Scheme) bool {
	return message["sign"] == oracleSign(message, key, algorithm)
}

// oracleWrite encodes a message with escaped text, where the code under test writes CDATA.
func oracleWrite(root string, message map[string]string) []byte {
	var document bytes.Buffer
	fmt.Fprintf(&document, "<%s>\n", root)
	for name, value := range message {
		fmt.Fprintf(&document, "<%s>", name)
		if err := xml.EscapeText(&document, []byte(value)); err != nil {
			panic(err)
		}
		fmt.Fprintf(&document, "</%s>\n", name)
	}
	fmt.Fprintf(&document, "</%s>\n", root)
	return document.Bytes()
}

// oracleEncrypt makes a req_info of a text, as defined in chapter 9_16.
func oracleEncrypt(plaintext []byte, key string) string {
	padding := aes.BlockSize - len(plaintext)%aes.BlockSize
	return oracleEncryptBlocks(append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(padding)}, padding)...), key)
}

// oracleEncryptBlocks leaves the padding to its caller.
func oracleEncryptBlocks(text []byte, key string) string {
	block, err := aes.NewCipher(fmt.Appendf(nil, "%x", md5.Sum([]byte(key))))
	if err != nil {
		panic(err)
	}
	for rest := text; len(rest) > 0; rest = rest[aes.BlockSize:] {
		block.Encrypt(rest, rest)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// signed adds a signature.
func signed(message map[string]string, key string, algorithm wechatpay.Scheme) map[string]string {
	message = maps.Clone(message)
	message["sign"] = oracleSign(message, key, algorithm)
	return message
}

// asMap converts a message to the oracle's type.
func asMap(message fields) map[string]string {
	m := map[string]string{}
	for _, f := range message {
		m[f.name] = f.value
	}
	return m
}

func asFields(message map[string]string) fields {
	var list []field
	for name, value := range message {
		list = append(list, field{name, value})
	}
	return newFields(list...)
}
