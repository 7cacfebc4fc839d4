package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseDocument reads the JSON object of a request as strictly as WeChat Pay: no null, no member
// twice, no characters of four bytes.
func parseDocument(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, badParameter("/body", "is not UTF-8", internalParameter)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	value, err := readValue(decoder, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, badParameter("/body", "has data after the object", internalParameter)
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return nil, badParameter("/body", "is not an object", internalParameter)
	}
	return object, nil
}

const maxDepth = 16

func readValue(decoder *json.Decoder, path string, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil || depth > maxDepth {
		return nil, badParameter("/body", "is not JSON", internalParameter)
	}
	switch t := token.(type) {
	case nil:
		return nil, badParameter(path, "is null", internalParameter)
	case string:
		return t, checkCharacters(path, t)
	case json.Delim:
		if t == '{' {
			return readObject(decoder, path, depth)
		}
		return readList(decoder, path, depth)
	}
	return token, nil // a number or a bool
}

func readObject(decoder *json.Decoder, path string, depth int) (any, error) {
	object := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, badParameter("/body", "is not JSON", internalParameter)
		}
		name := fmt.Sprint(token)
		below := join(path, name)
		if _, twice := object[name]; twice {
			return nil, badParameter(below, "is there twice", internalParameter)
		}
		if object[name], err = readValue(decoder, below, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, badParameter("/body", "is not JSON", internalParameter)
	}
	return object, nil
}

func readList(decoder *json.Decoder, path string, depth int) (any, error) {
	list := []any{}
	for decoder.More() {
		value, err := readValue(decoder, fmt.Sprintf("%s[%d]", path, len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, badParameter("/body", "is not JSON", internalParameter)
	}
	return list, nil
}

func checkCharacters(path, text string) error {
	for _, character := range text {
		if character > 0xffff {
			return badParameter(path, "has a character of four bytes", internalParameter)
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// kind is the JSON type of a member.
type kind int

const (
	ofText kind = iota
	ofWhole
	ofFlag
	ofObject
	ofList
)

// member describes one member of a request.
type member struct {
	kind     kind
	required bool
	max      int            // of a text, in characters
	least    int64          // of a whole number
	format   *regexp.Regexp // of a text
	words    []string       // the permitted texts
	in       shape          // of an object, or of a list of objects
}

// shape describes the members of an object. Others are refused.
type shape map[string]member

// check compares an object with its shape, and adds its values to params by their paths.
func (sh shape) check(path string, value map[string]any, params map[string]string) error {
	for name, m := range sh {
		if _, given := value[name]; m.required && !given {
			return badParameter(join(path, name), "is missing", internalParameter)
		}
	}
	for name, given := range value {
		m, known := sh[name]
		if !known {
			return badParameter(join(path, name), "is unknown", internalExtraMember)
		}
		if err := m.check(join(path, name), given, params); err != nil {
			return err
		}
	}
	return nil
}

func (m member) check(path string, given any, params map[string]string) error {
	switch value := given.(type) {
	case string:
		if m.kind != ofText {
			return badParameter(path, "must not be a string", internalParameter)
		}
		params[path] = value
		return m.checkText(path, value)
	case json.Number:
		number, err := strconv.ParseInt(value.String(), 10, 64)
		if m.kind != ofWhole || err != nil {
			return badParameter(path, "has the wrong type", internalParameter)
		}
		params[path] = value.String()
		if number < m.least || number > maxAmount {
			return badParameter(path, "is out of range", internalRange)
		}
		return nil
	case bool:
		if m.kind != ofFlag {
			return badParameter(path, "must not be a bool", internalParameter)
		}
		params[path] = strconv.FormatBool(value)
		return nil
	case map[string]any:
		if m.kind != ofObject {
			return badParameter(path, "must not be an object", internalParameter)
		}
		return m.in.check(path, value, params)
	case []any:
		return m.checkList(path, value, params)
	}
	return badParameter(path, "has the wrong type", internalParameter)
}

func (m member) checkText(path, value string) error {
	permitted := m.words == nil
	for _, word := range m.words {
		permitted = permitted || word == value
	}
	switch {
	case m.required && strings.TrimSpace(value) == "":
		return badParameter(path, "is empty", internalParameter)
	case utf8.RuneCountInString(value) > m.max:
		return badParameter(path, "is too long", internalRange)
	case m.format != nil && !m.format.MatchString(value), !permitted:
		return badParameter(path, "is not as documented", internalParameter)
	}
	return nil
}

func (m member) checkList(path string, values []any, params map[string]string) error {
	if m.kind != ofList || len(values) == 0 {
		return badParameter(path, "must not be a list, or not an empty one", internalParameter)
	}
	element := member{kind: ofObject, in: m.in}
	if m.in == nil {
		element = member{kind: ofText, required: true, max: m.max, words: m.words}
	}
	for n, value := range values {
		if err := element.check(fmt.Sprintf("%s[%d]", path, n), value, params); err != nil {
			return err
		}
	}
	return nil
}
