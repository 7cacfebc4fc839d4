package ticket

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/unicode/norm"
)

// The commands of ESC/POS that tickets use.
const (
	initialize  = "\x1b@"
	chineseMode = "\x1c&"
	leftAligned = "\x1ba\x00"
	centred     = "\x1ba\x01"
	boldOff     = "\x1bE\x00"
	boldOn      = "\x1bE\x01"
	// Characters of double size: GS ! for those of one byte, FS ! for Chinese ones.
	sizeNormal = "\x1d!\x00\x1c!\x00"
	sizeDouble = "\x1d!\x11\x1c!\x0c"
	feedAndCut = "\n\n\n\x1dV\x42\x00"
	// unfinished ends whatever a broken-off ticket has left unfinished in the printer: zero bytes are
	// parameters or nothing, and no command that is used here takes more than four bytes.
	unfinished = "\x00\x00\x00\x00"
)

// placeholder is shown in place of a character that the printer has not.
const placeholder = '□'

// ESCPOS writes rows for a receipt printer with Chinese characters in GB18030. The texts have passed
// through ForReceipt.
func ESCPOS(rows []Row) []byte {
	var out bytes.Buffer
	out.WriteString(unfinished + initialize + chineseMode)
	for _, row := range rows {
		out.WriteString(choose(row.Centre, centred, leftAligned))
		out.WriteString(choose(row.Bold, boldOn, boldOff))
		out.WriteString(choose(row.Large, sizeDouble, sizeNormal))
		out.WriteString(encode(row.Text))
		out.WriteByte('\n')
	}
	out.WriteString(leftAligned + boldOff + sizeNormal + feedAndCut)
	return out.Bytes()
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func encode(text string) string {
	encoded, err := simplifiedchinese.GB18030.NewEncoder().String(ForReceipt(text))
	if err != nil {
		panic("ticket: GB18030 has a code for each character: " + err.Error())
	}
	return encoded
}

// ForReceipt replaces what a receipt printer can't show. Its fonts have the characters that GB18030
// writes in one or two bytes; what takes four bytes, such as an emoji, becomes a box. What remains has
// no byte below the space, so that no text is a command.
func ForReceipt(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '¥':
			return '￥'
		case r < utf8.RuneSelf || hasTwoBytes(r):
			return r
		default:
			return placeholder
		}
	}, clean(text))
}

// hasTwoBytes reports whether GB18030 writes a character in two bytes, and not for private use.
func hasTwoBytes(r rune) bool {
	encoded, err := simplifiedchinese.GB18030.NewEncoder().String(string(r))
	return err == nil && len(encoded) == 2 && !unicode.Is(unicode.Co, r)
}

// clean removes what is not to be seen: control and format characters, and marks that are left after
// their letters have taken them up. White space becomes a space.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Mn, unicode.Me):
			return -1
		default:
			return r
		}
	}, norm.NFC.String(strings.ToValidUTF8(text, string(placeholder))))
}
