package transport

import (
	"bytes"
	"encoding/json"
)

// PlainJSON writes JSON without the escapes of &, < and >, which are for HTML: WeChat shows texts as
// they are sent, \u0026 too.
func PlainJSON(value any) ([]byte, error) {
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(written.Bytes()), err
}
