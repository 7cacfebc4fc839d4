package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
