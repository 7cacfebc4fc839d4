package simulator

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Why a document is rejected. WeChat Pay answers the two differently.
var (
	errNotUTF8 = errors.New("not UTF-8")
	errNotXML  = errors.New("not a document of the protocol")
)

// maxDocument is the maximum size of a request or a response.
const maxDocument = 64 << 10

var declaredEncoding = regexp.MustCompile(`(?i)encoding\s*=\s*["']([^"']*)["']`)

// parseXML parses a document of depth two: the named root and leaf elements, each name once. It
// rejects everything else in XML (document types, attributes, namespaces, nesting, instructions,
// trailing data).
func parseXML(data []byte, root string) (message, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	p := &parser{decoder: xml.NewDecoder(bytes.NewReader(data)), fields: message{}}
	if err := p.expectRoot(root); err != nil {
		return nil, err
	}
	for {
		name, more, err := p.nextField()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if _, seen := p.fields[name]; seen {
			return nil, fmt.Errorf("%w: field %s twice", errNotXML, name)
		}
		if p.fields[name], err = p.leaf(); err != nil {
			return nil, err
		}
	}
	if err := p.expectEnd(); err != nil {
		return nil, err
	}
	return p.fields, nil
}

type parser struct {
	decoder *xml.Decoder
	fields  message
}

// token returns the next meaningful token, and rejects those that are not permitted anywhere.
func (p *parser) token() (xml.Token, error) {
	for {
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", p.reason(err), err)
		}
		switch t := token.(type) {
		case xml.Comment:
			continue
		case xml.Directive:
			return nil, fmt.Errorf("%w: document type", errNotXML)
		case xml.ProcInst:
			if err := p.checkDeclaration(t); err != nil {
				return nil, err
			}
			continue
		case xml.StartElement:
			if t.Name.Space != "" || len(t.Attr) > 0 || strings.Contains(t.Name.Local, ":") {
				return nil, fmt.Errorf("%w: namespace or attribute", errNotXML)
			}
		}
		return token, nil
	}
}

// reason distinguishes an unknown encoding, which the decoder reports as its own error, from other
// bad XML.
func (p *parser) reason(err error) error {
	if strings.Contains(err.Error(), "encoding") {
		return errNotUTF8
	}
	return errNotXML
}

// checkDeclaration permits <?xml ...?> in UTF-8, and no other instruction.
func (p *parser) checkDeclaration(t xml.ProcInst) error {
	if t.Target != "xml" {
		return fmt.Errorf("%w: instruction", errNotXML)
	}
	declared := declaredEncoding.FindSubmatch(t.Inst)
	if declared != nil && !strings.EqualFold(string(declared[1]), "utf-8") {
		return errNotUTF8
	}
	return nil
}

func (p *parser) expectRoot(root string) error {
	for {
		token, err := p.token()
		if err != nil {
			return fmt.Errorf("%w: no root element", errOr(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != root {
				return fmt.Errorf("%w: root %s", errNotXML, t.Name.Local)
			}
			return nil
		case xml.CharData:
			if !isSpace(t) {
				return fmt.Errorf("%w: text before the root", errNotXML)
			}
		}
	}
}

// nextField finds the next element under the root, or the root's end.
func (p *parser) nextField() (name string, more bool, err error) {
	for {
		token, err := p.token()
		if err != nil {
			return "", false, fmt.Errorf("%w: cut short", errOr(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t.Name.Local, true, nil
		case xml.EndElement:
			return "", false, nil
		case xml.CharData:
			if !isSpace(t) {
				return "", false, fmt.Errorf("%w: text under the root", errNotXML)
			}
		}
	}
}

// leaf reads a field's text up to its end tag.
func (p *parser) leaf() (string, error) {
	var text strings.Builder
	for {
		token, err := p.token()
		if err != nil {
			return "", fmt.Errorf("%w: cut short", errOr(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			return "", fmt.Errorf("%w: nested element %s", errNotXML, t.Name.Local)
		case xml.EndElement:
			return text.String(), nil
		case xml.CharData:
			text.Write(t)
		}
	}
}

// expectEnd permits only white space and comments after the root.
func (p *parser) expectEnd() error {
	for {
		token, err := p.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, isText := token.(xml.CharData); !isText || !isSpace(text) {
			return fmt.Errorf("%w: data after the root", errNotXML)
		}
	}
}

func errOr(err error) error {
	if errors.Is(err, io.EOF) {
		return errNotXML
	}
	return err
}

func isSpace(text []byte) bool {
	return len(bytes.TrimSpace(text)) == 0
}

var integerField = regexp.MustCompile(`(_fee|_count)(_\d+)*$`)
var digits = regexp.MustCompile(`^\d{1,18}$`)

// formatXML writes a document as WeChat Pay does: integers bare, everything else in CDATA.
func formatXML(fields message, root string) []byte {
	names := make([]string, 0, len(fields))
	for name, value := range fields {
		if value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out bytes.Buffer
	out.WriteString("<" + root + ">")
	for _, name := range names {
		out.WriteString("<" + name + ">")
		writeValue(&out, name, fields[name])
		out.WriteString("</" + name + ">\n")
	}
	out.WriteString("</" + root + ">")
	return out.Bytes()
}

func writeValue(out *bytes.Buffer, name, value string) {
	switch {
	case integerField.MatchString(name) && digits.MatchString(value):
		out.WriteString(value)
	case strings.Contains(value, "\r"):
		// A reader turns a bare CR into LF, which would break the signature; a character reference
		// survives.
		_ = xml.EscapeText(out, []byte(value)) // a bytes.Buffer does not fail
	default:
		out.WriteString("<![CDATA[" + strings.ReplaceAll(value, "]]>", "]]]]><![CDATA[>") + "]]>")
	}
}
