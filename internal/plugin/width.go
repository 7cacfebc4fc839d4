package plugin

import "golang.org/x/text/width"

// widthOf counts the columns that a terminal takes for a text: two for a Chinese character.
func widthOf(text string) int {
	columns := 0
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			columns += 2
		default:
			columns++
		}
	}
	return columns
}
