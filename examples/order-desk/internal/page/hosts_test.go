package page

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestPageAnswersItsOwnHostsOnly: a web site whose name points at the desk's address must not read the
// page or print by it.
func TestPageAnswersItsOwnHostsOnly(t *testing.T) {
	handler := ParseHosts("desk.example.com, Desk.Shop.svc", "").only(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for host, want := range map[string]int{
		"localhost": http.StatusNoContent, "LOCALHOST:8080": http.StatusNoContent, "127.0.0.1:8080": http.StatusNoContent, "[::1]:8080": http.StatusNoContent,
		"desk.example.com": http.StatusNoContent, "DESK.example.com.:8080": http.StatusNoContent, "desk.shop.svc:8080": http.StatusNoContent,
		"evil.example": http.StatusMisdirectedRequest, "localhost.evil.example": http.StatusMisdirectedRequest, "xdesk.example.com": http.StatusMisdirectedRequest,
		"10.0.0.1:8080": http.StatusMisdirectedRequest, "": http.StatusMisdirectedRequest, "127.0.0.1.evil.example": http.StatusMisdirectedRequest,
	} {
		for path, status := range map[string]int{"/": want, "/print": want, "/changes": want, "/healthz": http.StatusNoContent} {
			request := httptest.NewRequest(http.MethodPost, "http://x"+path, nil)
			request.Host = host
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code != status {
				t.Errorf("%s of %q: %d, not %d", path, host, answer.Code, status)
			}
		}
	}
}
