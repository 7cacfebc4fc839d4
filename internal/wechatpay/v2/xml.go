package v2

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The maximum number of fields in a message. A callback has about 30, and anyone may send one; a
// reply lists up to ten refunds with their coupons.
const (
	maxCallbackFields = 200
	maxReplyFields    = 4000
)

// maxDocument limits the size of a message. The longest fields have about 6000 characters (detail,
// promotion_detail); a page of refundquery has ten refunds.
const maxDocument = 64 << 10

// The root elements of replies and callbacks, and of req_info.
const (
	messageRoot    = "xml"
	refundInfoRoot = "root"
)

// documentError says why a document violates the protocol.
type documentError string

const (
	errTooLarge              documentError = "xml-too-large"
	errNotUTF8               documentError = "not-utf8"
	errMalformed             documentError = "xml-malformed"
	errDoctype               documentError = "xml-doctype"
	errProcessingInstruction documentError = "xml-processing-instruction"
	errWrongRoot             documentError = "xml-wrong-root"
	errBadFieldName          documentError = "xml-bad-field-name"
	errDuplicateField        documentError = "xml-duplicate-field"
	errTooDeep               documentError = "xml-too-deep"
	errUnexpectedText        documentError = "xml-unexpected-text"
	errUnexpectedComment     documentError = "xml-unexpected-comment"
	errTrailingData          documentError = "xml-trailing-data"
	errTooManyFields         documentError = "xml-too-many-fields"
)

func (e documentError) Error() string { return string(e) }

// readFields parses a message: one root, a limited number of leaves below it, nothing else.
//
// encoding/xml accepts far more than the protocol uses (document types; repeated, nested and
// prefixed names; trailing data). Each of these has enabled payment fraud: external entities
// (chapter 23_5), and two parsers that read two amounts from one signed message. Everything outside
// of the dialect is rejected before the signature is verified. A handwritten parser of this small
// dialect needs a handful of allocations where encoding/xml needs hundreds; the tests compare it
// with encoding/xml in both directions.
func readFields(document []byte, root string, most int) (fields, error) {
	if len(document) > maxDocument {
		return nil, errTooLarge
	}
	if !utf8.Valid(document) {
		return nil, errNotUTF8
	}
	if !onlyXMLCharacters(document) {
		return nil, errMalformed
	}
	r := reader{rest: withUnixLines(string(document))}
	if err := r.readDeclaration(); err != nil {
		return nil, err
	}
	message, err := r.readRoot(root, most)
	if err != nil {
		return nil, err
	}
	if err := r.skipSpaceAndComments(); err != nil {
		return nil, err
	}
	if r.rest != "" {
		return nil, errTrailingData
	}
	message.sort()
	if message.repeatedName() != "" {
		return nil, errDuplicateField
	}
	return message, nil
}

// reader parses a document; rest is the unread part. Names and values are slices of the document
// where possible.
type reader struct{ rest string }

// declaration is the only processing instruction that is permitted.
var declaration = regexp.MustCompile(
	`^<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*["']1\.0["']` +
		`(?:[ \t\n]+encoding[ \t\n]*=[ \t\n]*["']([A-Za-z0-9._-]+)["'])?` +
		`(?:[ \t\n]+standalone[ \t\n]*=[ \t\n]*["'](?:yes|no)["'])?[ \t\n]*\?>`)

func (r *reader) readDeclaration() error {
	if !strings.HasPrefix(r.rest, "<?") {
		return nil
	}
	found := declaration.FindStringSubmatchIndex(r.rest)
	if found == nil {
		return errProcessingInstruction
	}
	if found[2] >= 0 && !strings.EqualFold(r.rest[found[2]:found[3]], "utf-8") {
		return errNotUTF8
	}
	r.rest = r.rest[found[1]:]
	return nil
}

func (r *reader) readRoot(root string, most int) (fields, error) {
	if err := r.skipSpaceAndComments(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(r.rest, "<") {
		return nil, errMalformed
	}
	name, empty, err := r.readStartTag()
	switch {
	case err != nil:
		return nil, err
	case name != root:
		return nil, errWrongRoot
	case empty:
		return nil, nil
	default:
		return r.readContent(root, most)
	}
}

// readContent reads leaves until the root is closed. It stops at the first one above the limit,
// before the cost of sorting them.
func (r *reader) readContent(root string, most int) (fields, error) {
	message := make(fields, 0, 32)
	for {
		if err := r.skipSpaceAndComments(); err != nil {
			return nil, err
		}
		switch {
		case r.rest == "":
			return nil, errMalformed
		case strings.HasPrefix(r.rest, "</"):
			return message, r.readEndTag(root)
		case r.rest[0] != '<', strings.HasPrefix(r.rest, cdataStart):
			return nil, errUnexpectedText
		case len(message) == most:
			return nil, errTooManyFields
		}
		name, empty, err := r.readStartTag()
		if err != nil {
			return nil, err
		}
		value := ""
		if !empty {
			if value, err = r.readValue(name); err != nil {
				return nil, err
			}
		}
		message = append(message, field{name, value})
	}
}

// readStartTag reads a start tag. Prefixes, namespaces and attributes are not permitted.
func (r *reader) readStartTag() (name string, empty bool, err error) {
	r.rest = r.rest[len("<"):]
	name = r.readName()
	if name == "" {
		return "", false, r.badName()
	}
	spaced := r.skipSpace()
	switch {
	case r.take(">"):
		return name, false, nil
	case r.take("/>"):
		return name, true, nil
	case r.rest == "":
		return "", false, errMalformed
	case spaced:
		return "", false, errBadFieldName // an attribute
	default:
		return "", false, r.badName()
	}
}

func (r *reader) readEndTag(name string) error {
	r.rest = r.rest[len("</"):]
	if r.readName() != name {
		return errMalformed
	}
	r.skipSpace()
	if !r.take(">") {
		return errMalformed
	}
	return nil
}

// take skips a token if it comes next.
func (r *reader) take(token string) (found bool) {
	r.rest, found = strings.CutPrefix(r.rest, token)
	return found
}

// readName reads the characters that names may contain.
func (r *reader) readName() string {
	end := 0
	for end < len(r.rest) && isNameByte(r.rest[end], end == 0) {
		end++
	}
	name := r.rest[:end]
	r.rest = r.rest[end:]
	return name
}

func isNameByte(b byte, first bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_':
		return true
	default:
		return !first && (b >= '0' && b <= '9' || b == '-' || b == '.')
	}
}

// badName distinguishes a name that only XML permits (a prefix, a letter beyond ASCII) from no name
// at all.
func (r *reader) badName() error {
	if r.rest != "" && (r.rest[0] == ':' || r.rest[0] >= utf8.RuneSelf) {
		return errBadFieldName
	}
	return errMalformed
}

func (r *reader) skipSpace() (skipped bool) {
	trimmed := strings.TrimLeft(r.rest, xmlSpace)
	skipped = len(trimmed) < len(r.rest)
	r.rest = trimmed
	return skipped
}

// skipSpaceAndComments also rejects what is not permitted anywhere between elements.
func (r *reader) skipSpaceAndComments() error {
	for {
		r.skipSpace()
		switch {
		case strings.HasPrefix(r.rest, commentStart):
			if err := r.skipComment(); err != nil {
				return err
			}
		case strings.HasPrefix(r.rest, "<?"):
			return errProcessingInstruction
		case strings.HasPrefix(r.rest, "<!") && !strings.HasPrefix(r.rest, cdataStart):
			return errDoctype
		default:
			return nil
		}
	}
}

func (r *reader) skipComment() error {
	r.rest = r.rest[len(commentStart):]
	end := strings.Index(r.rest, "--")
	if end < 0 || !strings.HasPrefix(r.rest[end:], "-->") {
		return errMalformed
	}
	r.rest = r.rest[end+len("-->"):]
	return nil
}

const (
	xmlSpace     = " \t\n"
	cdataStart   = "<![CDATA["
	cdataEnd     = "]]>"
	commentStart = "<!--"
)

// onlyXMLCharacters reports whether valid UTF-8 contains only characters of XML 1.0: of the control
// characters tab, line feed and carriage return, and not the two non-characters U+FFFE and U+FFFF
// (EF BF BE and EF BF BF).
func onlyXMLCharacters[Text []byte | string](text Text) bool {
	for i := range len(text) {
		switch b := text[i]; {
		case b < ' ' && b != '\t' && b != '\n' && b != '\r':
			return false
		case b == 0xEF && text[i+1] == 0xBF && text[i+2] >= 0xBE:
			return false
		}
	}
	return true
}

// withUnixLines converts CR LF and CR to LF, as XML 1.0 section 2.11 requires before parsing.
func withUnixLines(document string) string {
	if !strings.Contains(document, "\r") {
		return document
	}
	return strings.ReplaceAll(strings.ReplaceAll(document, "\r\n", "\n"), "\r", "\n")
}
