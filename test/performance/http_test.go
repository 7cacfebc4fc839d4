package performance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// get reads what a URL answers.
func get(ctx context.Context, by *http.Client, url string) (string, error) {
	status, text, err := request(ctx, by, http.MethodGet, url, "", "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %d", url, status)
	}
	return text, err
}

// request sends a request and reads the answer.
func request(ctx context.Context, by *http.Client, method, url, contentType, body string) (status int, text string, err error) {
	sent, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	sent.Header.Set("Content-Type", contentType)
	response, err := by.Do(sent)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}
