package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// adminHandler exposes the Simulator's methods to other processes. It has no authentication and
// must listen on loopback only.
func (s *Simulator) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /ledger", s.adminLedger)
	mux.HandleFunc("GET /urls", s.adminURLs)
	mux.HandleFunc("GET /ca.pem", s.adminCA)
	mux.HandleFunc("GET /client-certificate", s.adminClientCertificate)
	mux.HandleFunc("POST /pay", admin(s.adminPay))
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("POST /faults", admin(func(_ *http.Request, f Fault) (any, error) { return s.AddFault(f) }))
	mux.HandleFunc("DELETE /faults", s.adminClearFaults)
	mux.HandleFunc("POST /refunds", admin(s.adminRefundByStaff))
	mux.HandleFunc("POST /refunds/{no}/status", admin(s.adminRefundStatus))
	mux.HandleFunc("POST /merchants", admin(func(_ *http.Request, m Merchant) (any, error) { return nil, s.AddMerchant(m) }))
	mux.HandleFunc("POST /api-key", admin(s.adminAPIKey))
	mux.HandleFunc("POST /balance", admin(s.adminBalance))
	mux.HandleFunc("POST /callbacks/resend", admin(s.adminResend))
	s.adminV3(mux)
	s.serveCashier(mux)
	return mux
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
	errorReply struct {
		Error string `json:"error"`
	}
)

// admin wraps an action on a JSON body.
func admin[T any](action func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil {
			writeJSON(w, http.StatusBadRequest, errorReply{Error: err.Error()})
			return
		}
		result, err := action(r, body)
		if err != nil {
			writeJSON(w, statusOf(err), errorReply{Error: err.Error()})
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
	case errors.Is(err, ErrPaySign):
		return http.StatusForbidden
	case errors.Is(err, ErrOrderPaid), errors.Is(err, ErrOrderClosed), errors.Is(err, ErrOrderExpired), errors.Is(err, ErrPrepayExpired):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a disconnected client misses the response
}

// adminLedger filters the ledger by mch_id and number, and omits the calls with calls=false.
func (s *Simulator) adminLedger(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	ledger := s.Ledger().narrow(query.Get("mch_id"), query.Get("number"))
	if query.Get("calls") == "false" {
		ledger.Calls = []Call{}
	}
	writeJSON(w, http.StatusOK, ledger)
}

func (s *Simulator) adminURLs(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, urlsReply{URL: s.URL(), BackupURL: s.BackupURL(), AdminURL: s.AdminURL()})
}

func (s *Simulator) adminCA(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.CAPEM()) // a disconnected client misses the response
}

func (s *Simulator) adminClientCertificate(w http.ResponseWriter, r *http.Request) {
	mchID := r.URL.Query().Get("mch_id")
	if !mchIDFormat.MatchString(mchID) {
		writeJSON(w, http.StatusBadRequest, errorReply{Error: "mch_id is 8 to 10 digits"})
		return
	}
	certificate, err := s.IssueClientCertificate(mchID)
	if err != nil {
		writeJSON(w, statusOf(err), errorReply{Error: err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, certificateReply{CertPEM: string(certificate.CertPEM), KeyPEM: string(certificate.KeyPEM)})
}

func (s *Simulator) adminPay(_ *http.Request, body payRequest) (any, error) {
	if body.PrepayID != "" {
		return s.PayByPrepayID(body.PrepayID, body.PayOptions)
	}
	return s.Pay(body.MchID, body.OutTradeNo, body.PayOptions)
}

// adminClearFaults removes one fault (id=...) or all.
func (s *Simulator) adminClearFaults(w http.ResponseWriter, r *http.Request) {
	if id := r.URL.Query().Get("id"); id == "" {
		s.ClearFaults()
	} else if !s.RemoveFault(id) {
		writeJSON(w, http.StatusNotFound, errorReply{Error: "fault " + id + ": not found"})
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func (s *Simulator) adminRefundByStaff(_ *http.Request, body staffRefundRequest) (any, error) {
	return s.refundByStaff(body.MchID, body.OutTradeNo, body.RefundFee, body.FromBalance)
}

func (s *Simulator) adminRefundStatus(r *http.Request, body refundStatusRequest) (any, error) {
	return nil, s.SetRefundStatus(body.MchID, r.PathValue("no"), body.Status)
}

func (s *Simulator) adminAPIKey(_ *http.Request, body apiKeyRequest) (any, error) {
	if body.APIKey == "" {
		key, err := s.RotateAPIKey(body.MchID)
		return apiKeyRequest{MchID: body.MchID, APIKey: key}, err
	}
	return body, s.SetAPIKey(body.MchID, body.APIKey)
}

func (s *Simulator) adminBalance(_ *http.Request, body balanceRequest) (any, error) {
	return nil, s.SetBalance(body.MchID, body.Balance)
}

func (s *Simulator) adminResend(_ *http.Request, body resendRequest) (any, error) {
	return nil, s.ResendCallback(body.Operation, body.MchID, body.Number)
}
