package v2

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkSendable rejects a value that WeChat Pay would read differently from what we signed: parsers
// turn CR into LF, some trim white space, and invalid XML characters can't arrive at all. The error
// names the field but not the value.
func (f fields) checkSendable() error {
	if name := f.repeatedName(); name != "" {
		return fmt.Errorf("%s is given twice", name)
	}
	for _, e := range f {
		switch {
		case !utf8.ValidString(e.value):
			return fmt.Errorf("%s is not valid UTF-8", e.name)
		case strings.Contains(e.value, "\r"):
			return fmt.Errorf("%s contains a carriage return", e.name)
		case !onlyXMLCharacters(e.value):
			return fmt.Errorf("%s contains a character that XML does not allow", e.name)
		case holdsBorder(e.value):
			return fmt.Errorf("%s holds an ampersand, a name and an equals sign (&name=), which WeChat Pay's signature does not tell from another field: write it without", e.name)
		case strings.TrimSpace(e.value) != e.value:
			return fmt.Errorf("%s begins or ends with white space", e.name)
		}
	}
	return nil
}

// encode serializes a message. Empty fields are omitted, as in the signature. Every value is CDATA,
// as chapter 9_1 requires for JSON, so nothing needs escaping; a ]]> is split into two sections, the
// only way to encode it.
func (f fields) encode() []byte {
	document := []byte("<xml>")
	for _, e := range f {
		if e.value != "" {
			value := strings.ReplaceAll(e.value, cdataEnd, "]]"+cdataEnd+cdataStart+">")
			document = fmt.Appendf(document, "<%[1]s>"+cdataStart+"%[2]s"+cdataEnd+"</%[1]s>", e.name, value)
		}
	}
	return append(document, "</xml>"...)
}
