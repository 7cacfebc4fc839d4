// Package qrcode draws QR codes for terminals and as PNG.
package qrcode

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the empty border in modules. The standard requires four; two are enough on a terminal, whose
// background has one colour.
const quiet = 2

// Terminal draws two modules per character, light on dark. WeChat's scanner reads both colour schemes if there is a
// border.
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

// PNG returns an image with eight pixels per module and the border that the standard requires.
func PNG(content string) ([]byte, error) {
	code, err := qr.Encode(content, qr.M)
	if err != nil {
		return nil, err
	}
	return code.PNG(), nil
}
