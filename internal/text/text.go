// Package text makes text from outside fit to be stored and printed: WeChat's words, names in certificates, what a callback claims.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean takes away what a terminal or a reader would act on instead of showing it: control characters (U+009B begins a command of
// a terminal, a line feed another line of a log) and format characters (U+202E turns what follows around). White space among them
// becomes a space. What is not UTF-8 would come back changed from the API server, and is replaced as the API server does it.
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

// AtMost is clean text of so many bytes at most, cut between characters: WeChat's words are Chinese.
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

// IsClean says whether there is nothing to take away.
func IsClean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, hidden) < 0
}

// hidden are the characters of the categories Cc, Cf, Zl and Zp.
func hidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
