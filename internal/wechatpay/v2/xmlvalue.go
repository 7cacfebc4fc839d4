package v2

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// readValue reads text and CDATA up to the field's end tag.
func (r *reader) readValue(name string) (string, error) {
	var value value
	for {
		var piece string
		var err error
		switch {
		case r.rest == "":
			err = errMalformed
		case strings.HasPrefix(r.rest, "</"):
			return value.text(), r.readEndTag(name)
		case strings.HasPrefix(r.rest, cdataStart):
			piece, err = r.readCDATA()
		case r.rest[0] == '<':
			err = r.notAValue()
		default:
			piece, err = r.readText()
		}
		if err != nil {
			return "", err
		}
		value.add(piece)
	}
}

// value is the text of a field. Most consist of a single piece of text or CDATA, which is not
// copied.
type value struct {
	single string
	joined strings.Builder
}

func (v *value) add(piece string) {
	switch {
	case v.joined.Len() > 0:
		v.joined.WriteString(piece)
	case v.single == "":
		v.single = piece
	default:
		v.joined.WriteString(v.single)
		v.joined.WriteString(piece)
	}
}

func (v *value) text() string {
	if v.joined.Len() > 0 {
		return v.joined.String()
	}
	return v.single
}

// notAValue returns the error for markup inside a field. A comment would split the value in two,
// and parsers disagree about the resulting value.
func (r *reader) notAValue() error {
	switch {
	case strings.HasPrefix(r.rest, commentStart):
		return errUnexpectedComment
	case strings.HasPrefix(r.rest, "<!"):
		return errDoctype
	case strings.HasPrefix(r.rest, "<?"):
		return errProcessingInstruction
	case len(r.rest) > 1 && (isNameByte(r.rest[1], true) || r.rest[1] >= utf8.RuneSelf):
		return errTooDeep
	default:
		return errMalformed
	}
}

func (r *reader) readCDATA() (string, error) {
	piece, rest, ended := strings.Cut(r.rest[len(cdataStart):], cdataEnd)
	if !ended {
		return "", errMalformed
	}
	r.rest = rest
	return piece, nil
}

// readText reads up to the next markup and resolves references.
func (r *reader) readText() (string, error) {
	end := strings.IndexByte(r.rest, '<')
	if end < 0 {
		return "", errMalformed
	}
	raw := r.rest[:end]
	r.rest = r.rest[end:]
	if strings.Contains(raw, cdataEnd) {
		return "", errMalformed
	}
	if !strings.Contains(raw, "&") {
		return raw, nil
	}
	return resolveReferences(raw)
}

// resolveReferences supports the five predefined entities and numeric references; without a
// document type there are no others.
func resolveReferences(raw string) (string, error) {
	var text strings.Builder
	text.Grow(len(raw))
	for {
		before, after, found := strings.Cut(raw, "&")
		text.WriteString(before)
		if !found {
			return text.String(), nil
		}
		reference, rest, ended := strings.Cut(after, ";")
		character, known := resolveReference(reference)
		if !ended || !known {
			return "", errMalformed
		}
		text.WriteRune(character)
		raw = rest
	}
}

var references = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

func resolveReference(reference string) (character rune, known bool) {
	if character, known = references[reference]; known {
		return character, true
	}
	digits, numeric := strings.CutPrefix(reference, "#")
	if !numeric {
		return 0, false
	}
	base := 10
	if hex, found := strings.CutPrefix(digits, "x"); found {
		digits, base = hex, 16
	}
	number, err := strconv.ParseUint(digits, base, 32)
	if err != nil || number > utf8.MaxRune || !utf8.ValidRune(rune(number)) {
		return 0, false
	}
	character = rune(number)
	return character, onlyXMLCharacters(string(character))
}
