package plugin

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWidthOf(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "订单": 4, "订单 a": 6, "（a）": 5, "1.01 元": 7} {
		if got := widthOf(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

// TestHarmlessJSONSaysTheSame: escaped, and the same to a program.
func TestHarmlessJSONSaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune{0x1b, 0x9b, 0x202e, 0x2028, 0xe0001, '\n', '\t',
			'a'}))).Filter(utf8.ValidString).Draw(t, "said")
		encoded, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		safe := harmless(encoded, true)
		var back string
		if err := json.Unmarshal(safe, &back); err != nil || back != said {
			t.Fatalf("%q became %q (%v)", said, back, err)
		}
		for _, output := range [][]byte{safe, harmless([]byte(said), false)} {
			if at := strings.IndexFunc(string(output), func(r rune) bool {
				return r != '\n' && r != '\t' &&
					interpreted(r)
			}); at >= 0 {
				t.Fatalf("%q holds what a terminal interprets", output)
			}
		}
	})
}
