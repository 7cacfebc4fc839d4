package callback

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// Patience is how long WeChat waits for an answer (chapter 9_7).
const Patience = 5 * time.Second

// success is, byte for byte, what WeChat takes for a yes (chapter 9_7).
const success = `<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>`

// Answer is what WeChat would get.
type Answer struct {
	// Answered says that there was an answer, and Succeeded that it was a yes.
	Answered, Succeeded bool
}

// Refused says that there was an answer that is not a yes, so that WeChat asks again.
func (a Answer) Refused() bool { return a.Answered && !a.Succeeded }

// Send sends a callback once. How long it waits is the client's.
func Send(ctx context.Context, by *http.Client, url, body string) Answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return Answer{}
	}
	request.Header.Set("Content-Type", "text/xml")
	response, err := by.Do(request)
	if err != nil {
		return Answer{}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}
	}
	return Answer{Answered: true, Succeeded: response.StatusCode == http.StatusOK && string(text) == success}
}
