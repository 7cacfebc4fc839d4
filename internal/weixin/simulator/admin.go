package simulator

import (
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// adminErrors are the statuses of the admin API's errors.
var adminErrors = simulation.AdminErrors{{Err: ErrNotFound, Status: http.StatusNotFound}, {Err: ErrInvalid, Status: http.StatusBadRequest}}

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
)

// adminHandler exposes the Simulator's methods to other processes. It has no authentication and must
// listen on loopback only.
func (s *Simulator) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", simulation.Healthy)
	mux.HandleFunc("GET /url", simulation.Show(func() urlReply { return urlReply{URL: s.url} }))
	mux.HandleFunc("GET /journal", simulation.Show(s.Journal))
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
	mux.HandleFunc("GET /faults", simulation.Show(s.Faults))
	mux.HandleFunc("POST /faults", admin(func(f Fault) (any, error) { return s.AddFault(f) }))
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, r *http.Request) {
		s.ClearFaults(r.URL.Query().Get("id"))
		adminErrors.Reply(w, nil, nil)
	})
	return mux
}

func admin[T any](act func(T) (any, error)) http.HandlerFunc {
	return simulation.Action(adminErrors, act)
}

func (s *Simulator) adminLogin(b loginRequest) (any, error) {
	code, err := s.Login(b.AppID, b.OpenID)
	if err == nil && b.UnionID != "" {
		err = s.SetUnionID(b.AppID, b.OpenID, b.UnionID)
	}
	return loginReply{Code: code}, err
}
