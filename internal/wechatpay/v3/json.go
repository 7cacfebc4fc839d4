package v3

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readJSON reads a document strictly: a member that occurs twice, a value of the wrong type, a
// fraction or an exponent where an amount belongs, invalid UTF-8 and anything after the document
// are errors. WeChat may add members at any time, so unknown ones are ignored. The error contains
// no part of the document.
func readJSON(document []byte, into any) error {
	err := json.Unmarshal(document, into)
	if err == nil {
		return nil
	}
	if wrong, found := errors.AsType[*json.SemanticError](err); found {
		return fmt.Errorf("%s has a value of the wrong type", cmp.Or(string(wrong.JSONPointer), "the document"))
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return errors.New("a member occurs twice")
	}
	return errors.New("it is not JSON")
}
