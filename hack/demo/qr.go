package main

import (
	"strings"

	"rsc.io/qr"
)

// qrCode draws a QR code with two modules per character. WeChat's scanner reads both light-on-dark
// and dark-on-light codes, if they have the quiet zone.
func qrCode(content string) (string, error) {
	code, err := qr.Encode(content, qr.L)
	if err != nil {
		return "", err
	}
	const quiet = 2
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
