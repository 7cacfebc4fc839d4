package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// The bodies of the admin API.
type (
	loginRequest struct {
		AppID   string `json:"appid"`
		OpenID  string `json:"openid"`
		UnionID string `json:"unionid,omitempty"`
	}
	loginReply struct {
		Code string `json:"code"`
	}
	secretRequest struct {
		AppID     string `json:"appid"`
		AppSecret string `json:"app_secret"`
	}
	addressesRequest struct {
		AppID string `json:"appid"`
		// AllowedAddresses allow all if they are null.
		AllowedAddresses []string `json:"allowed_addresses"`
	}
	managedRequest struct {
		AppID     string `json:"appid"`
		Unmanaged bool   `json:"unmanaged"`
	}
	riskRequest struct {
		AppID    string `json:"appid"`
		OpenID   string `json:"openid"`
		HighRisk bool   `json:"high_risk"`
	}
	revokeRequest struct {
		AppID string `json:"appid"`
	}
	subscribeRequest struct {
		AppID      string `json:"appid"`
		OpenID     string `json:"openid"`
		TemplateID string `json:"template_id"`
	}
	receiveRequest struct {
		MchID      string     `json:"mchid"`
		OutTradeNo string     `json:"out_trade_no"`
		State      OrderState `json:"state"`
	}
	urlReply struct {
		URL string `json:"url"`
	}
	adminError struct {
		Error string `json:"error"`
	}
)

// adminHandler exposes the Simulator's methods to other processes. It has no authentication and must
// listen on loopback only.
func (s *Simulator) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /url", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, urlReply{URL: s.url}) })
	mux.HandleFunc("GET /journal", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Journal()) })
	mux.HandleFunc("POST /mini-programs", admin(func(m MiniProgram) (any, error) { return nil, s.AddMiniProgram(m) }))
	mux.HandleFunc("POST /login", admin(s.adminLogin))
	mux.HandleFunc("POST /app-secret", admin(func(b secretRequest) (any, error) { return nil, s.SetAppSecret(b.AppID, b.AppSecret) }))
	mux.HandleFunc("POST /allowed-addresses", admin(func(b addressesRequest) (any, error) {
		return nil, s.SetAllowedAddresses(b.AppID, b.AllowedAddresses)
	}))
	mux.HandleFunc("POST /managed", admin(func(b managedRequest) (any, error) { return nil, s.SetUnmanaged(b.AppID, b.Unmanaged) }))
	mux.HandleFunc("POST /high-risk", admin(func(b riskRequest) (any, error) { return nil, s.SetHighRisk(b.AppID, b.OpenID, b.HighRisk) }))
	mux.HandleFunc("POST /revoke-tokens", admin(func(b revokeRequest) (any, error) { return nil, s.RevokeTokens(b.AppID) }))
	mux.HandleFunc("POST /subscribe", admin(func(b subscribeRequest) (any, error) {
		return nil, s.Subscribe(b.AppID, b.OpenID, b.TemplateID)
	}))
	mux.HandleFunc("POST /receive", admin(func(b receiveRequest) (any, error) { return nil, s.Receive(b.MchID, b.OutTradeNo, b.State) }))
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("POST /faults", admin(func(f Fault) (any, error) { return s.AddFault(f) }))
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) {
		s.ClearFaults(r.URL.Query().Get("id"))
		writeJSON(w, http.StatusOK, struct{}{})
	})
	return mux
}

func (s *Simulator) adminLogin(b loginRequest) (any, error) {
	code, err := s.Login(b.AppID, b.OpenID)
	if err == nil && b.UnionID != "" {
		err = s.SetUnionID(b.AppID, b.OpenID, b.UnionID)
	}
	return loginReply{Code: code}, err
}

// admin wraps an action on a JSON body.
func admin[T any](action func(T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil {
			writeJSON(w, http.StatusBadRequest, adminError{Error: err.Error()})
			return
		}
		result, err := action(body)
		if err != nil {
			writeJSON(w, statusOf(err), adminError{Error: err.Error()})
			return
		}
		if result == nil {
			result = struct{}{}
		}
		writeJSON(w, http.StatusOK, result)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrInvalid):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a disconnected client misses the response
}
