package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

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
	switch {
	case m.required && strings.TrimSpace(value) == "":
		return badParameter(path, "is empty", internalParameter)
	case utf8.RuneCountInString(value) > m.max:
		return badParameter(path, "is too long", internalRange)
	case m.format != nil && !m.format.MatchString(value), m.words != nil && !slices.Contains(m.words, value):
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
