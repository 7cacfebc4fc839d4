package simulator

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// adminErrors are the statuses of the admin API's errors.
var adminErrors = simulation.AdminErrors{
	{Err: ErrNotFound, Status: http.StatusNotFound},
	{Err: ErrInvalid, Status: http.StatusBadRequest},
	{Err: ErrPaySign, Status: http.StatusForbidden},
	{Err: ErrOrderPaid, Status: http.StatusConflict},
	{Err: ErrOrderClosed, Status: http.StatusConflict},
	{Err: ErrOrderExpired, Status: http.StatusConflict},
	{Err: ErrPrepayExpired, Status: http.StatusConflict},
}

// adminHandler exposes the Simulator's methods to other processes. It has no authentication and
// must listen on loopback only.
func (s *Simulator) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", simulation.Healthy)
	mux.HandleFunc("GET /ledger", s.adminLedger)
	mux.HandleFunc("GET /urls", simulation.Show(func() urlsReply {
		return urlsReply{URL: s.URL(), BackupURL: s.BackupURL(), AdminURL: s.AdminURL()}
	}))
	mux.HandleFunc("GET /ca.pem", s.adminCA)
	mux.HandleFunc("GET /client-certificate", s.adminClientCertificate)
	mux.HandleFunc("POST /pay", admin(s.adminPay))
	mux.HandleFunc("GET /faults", simulation.Show(s.Faults))
	mux.HandleFunc("POST /faults", admin(func(f Fault) (any, error) { return s.AddFault(f) }))
	mux.HandleFunc("DELETE /faults", s.adminClearFaults)
	mux.HandleFunc("POST /refunds", admin(func(b staffRefundRequest) (any, error) {
		return s.refundByStaff(b.MchID, b.OutTradeNo, b.RefundFee, b.FromBalance)
	}))
	mux.HandleFunc("POST /refunds/{no}/status", s.adminRefundStatus)
	mux.HandleFunc("POST /merchants", admin(func(m Merchant) (any, error) { return nil, s.AddMerchant(m) }))
	mux.HandleFunc("POST /api-key", admin(s.adminAPIKey))
	mux.HandleFunc("POST /balance", admin(func(b balanceRequest) (any, error) { return nil, s.SetBalance(b.MchID, b.Balance) }))
	mux.HandleFunc("POST /callbacks/resend", admin(func(b resendRequest) (any, error) {
		return nil, s.ResendCallback(b.Operation, b.MchID, b.Number)
	}))
	s.adminV3(mux)
	s.serveCashier(mux)
	return mux
}

func admin[T any](act func(T) (any, error)) http.HandlerFunc {
	return simulation.Action(adminErrors, act)
}

// The bodies of the admin API.
type (
	payRequest struct {
		MchID      string `json:"mch_id,omitempty"`
		OutTradeNo string `json:"out_trade_no,omitempty"`
		PrepayID   string `json:"prepay_id,omitempty"`
		PayOptions
	}
	staffRefundRequest struct {
		MchID      string `json:"mch_id"`
		OutTradeNo string `json:"out_trade_no"`
		RefundFee  int64  `json:"refund_fee"`
		// FromBalance pays it from the available balance.
		FromBalance bool `json:"from_balance,omitempty"`
	}
	refundStatusRequest struct {
		MchID  string       `json:"mch_id"`
		Status RefundStatus `json:"status"`
	}
	apiKeyRequest struct {
		MchID string `json:"mch_id"`
		// APIKey is the new key; empty requests a random one.
		APIKey string `json:"api_key,omitempty"`
	}
	balanceRequest struct {
		MchID   string `json:"mch_id"`
		Balance *int64 `json:"balance"`
	}
	resendRequest struct {
		Operation Operation `json:"operation"`
		MchID     string    `json:"mch_id"`
		Number    string    `json:"number"`
	}
	certificateReply struct {
		CertPEM string `json:"cert_pem"`
		KeyPEM  string `json:"key_pem"`
	}
	urlsReply struct {
		URL       string `json:"url"`
		BackupURL string `json:"backup_url"`
		AdminURL  string `json:"admin_url"`
	}
)

// adminLedger filters the ledger by mch_id and number, and omits the calls with calls=false.
func (s *Simulator) adminLedger(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	ledger := s.Ledger().narrow(query.Get("mch_id"), query.Get("number"))
	if query.Get("calls") == "false" {
		ledger.Calls = []Call{}
	}
	simulation.WriteJSON(w, http.StatusOK, ledger)
}

func (s *Simulator) adminCA(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.CAPEM()) // a disconnected client misses the response
}

func (s *Simulator) adminClientCertificate(w http.ResponseWriter, r *http.Request) {
	mchID := r.URL.Query().Get("mch_id")
	if !mchIDFormat.MatchString(mchID) {
		simulation.Refuse(w, http.StatusBadRequest, errors.New("mch_id is 8 to 10 digits"))
		return
	}
	certificate, err := s.IssueClientCertificate(mchID)
	adminErrors.Reply(w, certificateReply{CertPEM: string(certificate.CertPEM), KeyPEM: string(certificate.KeyPEM)}, err)
}

func (s *Simulator) adminPay(body payRequest) (any, error) {
	if body.PrepayID != "" {
		return s.PayByPrepayID(body.PrepayID, body.PayOptions)
	}
	return s.Pay(body.MchID, body.OutTradeNo, body.PayOptions)
}

// adminClearFaults removes one fault (id=...) or all.
func (s *Simulator) adminClearFaults(w http.ResponseWriter, r *http.Request) {
	var err error
	if id := r.URL.Query().Get("id"); id == "" {
		s.ClearFaults()
	} else if !s.RemoveFault(id) {
		err = fmt.Errorf("fault %s: %w", id, ErrNotFound)
	}
	adminErrors.Reply(w, nil, err)
}

func (s *Simulator) adminRefundStatus(w http.ResponseWriter, r *http.Request) {
	admin(func(b refundStatusRequest) (any, error) {
		return nil, s.SetRefundStatus(b.MchID, r.PathValue("no"), b.Status)
	})(w, r)
}

func (s *Simulator) adminAPIKey(body apiKeyRequest) (any, error) {
	if body.APIKey == "" {
		key, err := s.RotateAPIKey(body.MchID)
		return apiKeyRequest{MchID: body.MchID, APIKey: key}, err
	}
	return body, s.SetAPIKey(body.MchID, body.APIKey)
}
