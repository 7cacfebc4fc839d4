package qrcode_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/qrcode"
)

const content = "weixin://wxpay/bizpayurl?pr=abcdefg"

// TestTerminalDrawsEachModule: two to a character, with the border that scanners need.
func TestTerminalDrawsEachModule(t *testing.T) {
	picture, err := qrcode.Terminal(content)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(content, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSuffix(picture, "\n"), "\n")
	black := func(x, y int) bool {
		character := []rune(rows[y/2])[x]
		return character == ' ' || y%2 == 0 && character == '▄' || y%2 == 1 && character == '▀'
	}
	const border = 2
	for y := range 2 * len(rows) {
		for x := range code.Size + 2*border {
			if want := code.Black(x-border, y-border); black(x, y) != want {
				t.Fatalf("the module %d, %d is drawn black: %v, want %v", x-border, y-border, !want, want)
			}
		}
	}
}

// TestPNGHasAQuietBorder of four modules, white.
func TestPNGHasAQuietBorder(t *testing.T) {
	picture, err := qrcode.PNG(content)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := decoded.Bounds()
	for i := range bounds.Dx() {
		for _, at := range [][2]int{{i, 0}, {0, i}, {i, 31}, {31, i}, {i, bounds.Dy() - 1}, {bounds.Dx() - 1, i}} {
			if r, _, _, _ := decoded.At(at[0], at[1]).RGBA(); r == 0 {
				t.Fatalf("black at %v, in the border", at)
			}
		}
	}
}

func TestTooLong(t *testing.T) {
	if _, err := qrcode.Terminal(strings.Repeat("x", 3000)); err == nil {
		t.Error("drawn")
	}
	if _, err := qrcode.PNG(strings.Repeat("x", 3000)); err == nil {
		t.Error("drawn")
	}
}
