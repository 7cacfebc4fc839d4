package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	for given, want := range map[string]string{
		"":                         "",
		"肥皂 x1 😀 ❤\uFE0F":          "肥皂 x1 😀 ❤\uFE0F",
		"a\u009b31mb":              "a31mb",
		"a\x1b[31mb":               "a[31mb",
		"gpj\u202e.exe\u2066":      "gpj.exe",
		"one\ntwo\r\nthree\tfour":  "one two  three four",
		"one\u2028two\u2029three":  "one two three",
		"next\u0085line\u00a0here": "next line\u00a0here",
		"zero\u200bwidth\ufeff":    "zerowidth",
		"\xff\xfebad":              "\uFFFDbad",
		"bell\a null\x00 del\x7f":  "bell null del",
		"tag\U000E0041s":           "tags",
	} {
		if got := Clean(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}

func TestWhatIsCleanStaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.StringOf(rapid.Rune()).Draw(t, "runes")
		most := rapid.IntRange(0, 40).Draw(t, "most")
		cleaned, cut := Clean(given), AtMost(most, given)
		if Clean(cleaned) != cleaned || !IsClean(cleaned) {
			t.Fatalf("%q is not clean", cleaned)
		}
		if len(cut) > most || !strings.HasPrefix(cleaned, cut) || !utf8.ValidString(cut) || len(cleaned) > most && len(cut) < most-3 {
			t.Fatalf("%q cut at %d is %q", cleaned, most, cut)
		}
		for _, r := range cleaned {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%U is left", r)
			}
		}
	})
}
