package v2

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkSendable refuses a value that WeChat would read differently from what we signed: readers turn CR into LF,
// some trim, and what is not XML text cannot arrive at all. The error names the field and keeps the value to itself.
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

// encode writes a message. Empty fields are left out, as they are from the signature. Every value is CDATA, as
// chapter 9_1 asks for JSON, so that nothing needs an escape.
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

// appendCDATA splits a value at ]]> into two sections, the only way to carry it.
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
