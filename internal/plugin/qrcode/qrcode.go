// Package qrcode draws QR codes for terminals and as PNG.
package qrcode

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the empty border in modules. The standard wants four; two are enough on a terminal, whose background is one colour.
const quiet = 2

// Terminal draws with two modules per character, light on dark. WeChat's scanner reads both kinds if they have the border.
func Terminal(content string) (string, error) {
	code, err := qr.Encode(content, qr.L)
	if err != nil {
		return "", err
	}
	var picture strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			switch upper, lower := code.Black(x, y), code.Black(x, y+1); {
			case upper && lower:
				picture.WriteRune(' ')
			case upper:
				picture.WriteRune('▄')
			case lower:
				picture.WriteRune('▀')
			default:
				picture.WriteRune('█')
			}
		}
		picture.WriteRune('\n')
	}
	return picture.String(), nil
}

// PNG is a picture of eight pixels a module, with the border that the standard wants.
func PNG(content string) ([]byte, error) {
	code, err := qr.Encode(content, qr.M)
	if err != nil {
		return nil, err
	}
	return code.PNG(), nil
}
