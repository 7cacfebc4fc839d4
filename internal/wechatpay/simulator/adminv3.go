package simulator

import (
	"net/http"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// adminV3 adds what API v3, service providers and the payer's client need.
func (s *Simulator) adminV3(mux *http.ServeMux) {
	mux.HandleFunc("POST /request-payment", admin(func(body clientPaymentRequest) (any, error) {
		if body.Cancel {
			return nil, s.CancelPayment(body.ClientPayment)
		}
		return s.RequestPayment(body.ClientPayment, body.Options)
	}))
	mux.HandleFunc("POST /api-v3-key", admin(func(body apiV3KeyRequest) (any, error) {
		return nil, s.SetAPIV3Key(body.MchID, body.APIV3Key)
	}))
	mux.HandleFunc("POST /verification", admin(func(body verificationRequest) (any, error) {
		return nil, s.SetVerification(body.MchID, body.Verification, body.PublicKeyShare)
	}))
	mux.HandleFunc("POST /refund-right", admin(func(body refundRightRequest) (any, error) {
		return nil, s.SetRefundRight(body.MchID, body.SubMchID, body.Granted)
	}))
	mux.HandleFunc("POST /relation", admin(func(body relationRequest) (any, error) {
		return nil, s.SetRelation(body.MchID, body.SubMchID, body.Exists)
	}))
	mux.HandleFunc("POST /sub-balance", admin(func(body subBalanceRequest) (any, error) {
		return nil, s.SetSubBalance(body.MchID, body.SubMchID, body.Balance)
	}))
	mux.HandleFunc("POST /clock-skew", admin(func(body clockSkewRequest) (any, error) {
		s.SetClockSkew(time.Duration(body.SkewMillis) * time.Millisecond)
		return nil, nil
	}))
	mux.HandleFunc("GET /platform", simulation.Show(s.Platform))
	mux.HandleFunc("POST /platform/certificates", admin(func(struct{}) (any, error) { return s.AddPlatformCertificate() }))
	mux.HandleFunc("POST /platform/public-key", admin(func(struct{}) (any, error) { return s.ReplacePublicKey() }))
	mux.HandleFunc("POST /platform/signers", admin(func(body signersRequest) (any, error) {
		return nil, s.SignWithPlatformCertificates(body.SerialNos...)
	}))
	mux.HandleFunc("DELETE /platform/certificates/{serial}", func(w http.ResponseWriter, r *http.Request) {
		adminErrors.Reply(w, nil, s.RemovePlatformCertificate(r.PathValue("serial")))
	})
}

// The bodies of this part of the admin API.
type (
	clientPaymentRequest struct {
		ClientPayment
		Options PayOptions `json:"options,omitzero"`
		// Cancel makes the payer go back instead of paying.
		Cancel bool `json:"cancel,omitempty"`
	}
	apiV3KeyRequest struct {
		MchID    string `json:"mch_id"`
		APIV3Key string `json:"api_v3_key"`
	}
	verificationRequest struct {
		MchID          string       `json:"mch_id"`
		Verification   Verification `json:"verification"`
		PublicKeyShare float64      `json:"public_key_share,omitempty"`
	}
	refundRightRequest struct {
		MchID    string `json:"mch_id"`
		SubMchID string `json:"sub_mchid"`
		Granted  bool   `json:"granted"`
	}
	relationRequest struct {
		MchID    string `json:"mch_id"`
		SubMchID string `json:"sub_mchid"`
		Exists   bool   `json:"exists"`
	}
	subBalanceRequest struct {
		MchID    string `json:"mch_id"`
		SubMchID string `json:"sub_mchid"`
		Balance  *int64 `json:"balance"`
	}
	clockSkewRequest struct {
		SkewMillis int64 `json:"skew_millis"`
	}
	signersRequest struct {
		SerialNos []string `json:"serial_nos"`
	}
)
