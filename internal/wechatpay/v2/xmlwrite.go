package v2

import (
	"fmt"
	"slices"
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
// as chapter 9_1 requires for JSON, so nothing needs escaping.
func (f fields) encode() []byte {
	const markup = len("<></>") + len(cdataStart) + len(cdataEnd)
	size := len("<xml></xml>")
	for _, e := range f {
		size += markup + 2*len(e.name) + len(e.value)
	}
	document := slices.Grow([]byte(nil), size)
	document = append(document, "<xml>"...)
	for _, e := range f {
		if e.value == "" {
			continue
		}
		document = append(document, '<')
		document = append(document, e.name...)
		document = append(document, '>')
		document = appendCDATA(document, e.value)
		document = append(document, "</"...)
		document = append(document, e.name...)
		document = append(document, '>')
	}
	return append(document, "</xml>"...)
}

// appendCDATA splits a value at ]]> into two sections, the only way to encode it.
func appendCDATA(document []byte, value string) []byte {
	document = append(document, cdataStart...)
	for {
		before, after, found := strings.Cut(value, cdataEnd)
		document = append(document, before...)
		if !found {
			return append(document, cdataEnd...)
		}
		document = append(document, "]]"...)
		document = append(document, cdataEnd...)
		document = append(document, cdataStart...)
		document = append(document, '>')
		value = after
	}
}
