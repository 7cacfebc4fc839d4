// Package text makes external text safe to store and print: WeChat Pay's messages, names in
// certificates, callback fields.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean removes characters that terminals or viewers interpret instead of showing: control
// characters (U+009B starts a terminal command, a line feed a new log line) and format characters
// (U+202E reverses the following text). White space among them becomes a space. Invalid UTF-8 is
// replaced in the same way as the API server does, so that the stored text does not differ.
func Clean(text string) string {
	if IsClean(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !hidden(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return -1
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// AtMost returns clean text of at most the given number of bytes, cut between characters, because
// WeChat Pay's messages are Chinese.
func AtMost(bytes int, text string) string {
	text = Clean(text)
	if len(text) <= bytes {
		return text
	}
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes]
}

// IsClean reports whether Clean would change nothing.
func IsClean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, hidden) < 0
}

// hidden reports whether a character is in one of the categories Cc, Cf, Zl and Zp.
func hidden(r rune) bool {
	if r < unicode.MaxASCII { // the tables take long, and most characters are these
		return r < ' '
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
