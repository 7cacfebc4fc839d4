package transport

import (
	"bytes"
	"encoding/json"
)

// PlainJSON writes JSON without the HTML escapes of &, < and >: WeChat shows \u0026 as it is sent.
func PlainJSON(value any) ([]byte, error) {
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(written.Bytes()), err
}
