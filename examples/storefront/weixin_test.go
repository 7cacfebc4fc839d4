package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const appSecret = "0123456789abcdef0123456789abcdef"

// TestWhatWeChatSaysOfALogin: each answer becomes what the page can do about it.
func TestWhatWeChatSaysOfALogin(t *testing.T) {
	var says string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, says) }))
	defer server.Close()
	write := func(name string, content []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	w, err := newWeixin(server.URL+"/", write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	if err != nil {
		t.Fatal(err)
	}
	of := app{"wx1", write("secret", []byte(appSecret))}
	const unclear = -1 // no refusal: the page is told to try again, and the log why
	for answer, code := range map[string]int{
		`{"errcode":-1}`:    codeTryAgain,
		`{"errcode":45011}`: codeTryAgain,
		`{"errcode":40029}`: codeLogInAgain,
		`{"errcode":40163}`: codeLogInAgain,
		`{"errcode":40226}`: codeLoginRefused,
		`{"errcode":41008}`: codeBadRequest,
		`{"errcode":40013}`: codeTryAgain,
		`{"errcode":40125,"errmsg":"invalid appsecret"}`: codeTryAgain,
		`<html>`:           unclear,
		`{}`:               unclear,
		`{"openid":"o p"}`: unclear,
		`{"openid":7}`:     unclear,
		`{"openid":"` + strings.Repeat("o", 129) + `"}`: unclear,
	} {
		says = answer
		openID, err := w.miniProgramOpenID(t.Context(), of, "code")
		told := refusal{code: unclear}
		errors.As(err, &told)
		if err == nil || told.code != code || strings.Contains(err.Error(), appSecret) {
			t.Errorf("%s: %q, %v", answer, openID, err)
		}
	}
	says = `{"openid":"o-1_A","session_key":"x","errcode":0}`
	if openID, err := w.officialAccountOpenID(t.Context(), of, "code"); openID != "o-1_A" || err != nil {
		t.Errorf("%q, %v", openID, err)
	}
	server.Close()
	if _, err := w.miniProgramOpenID(t.Context(), of, "code"); err == nil || strings.Contains(err.Error(), appSecret) || strings.Contains(err.Error(), "/sns/") {
		t.Errorf("without an answer: %v", err)
	}
}

func TestErrorsHaveNoURL(t *testing.T) {
	inner := errors.New("connection refused")
	if err := withoutURL(&url.Error{Op: "Get", URL: "https://x/?secret=" + appSecret, Err: inner}); !errors.Is(err, inner) || strings.Contains(err.Error(), appSecret) {
		t.Errorf("the error is %v", err)
	}
	if err := withoutURL(inner); !errors.Is(err, inner) {
		t.Errorf("the error is %v", err)
	}
}
