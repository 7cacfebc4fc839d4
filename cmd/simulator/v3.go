package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// verification is how a merchant verifies responses of API v3.
type verification struct {
	by    simulator.Verification
	share float64
}

// publicKeyFile has WeChat Pay's public key.
const publicKeyFile = "wechatpay-public-key.pem"

// addMerchantV3 adds a merchant, or adds an APIv3 key to an existing one.
func (o *settings) addMerchantV3(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("want mch_id:appid[,appid...][:api_v3_key]")
	}
	m := o.merchant(parts[0])
	if m == nil {
		o.Merchants = append(o.Merchants, simulator.Merchant{MchID: parts[0], AppIDs: strings.Split(parts[1], ",")})
		m = o.merchant(parts[0])
	}
	if len(parts) == 3 {
		m.APIV3Key = parts[2]
	}
	o.printed = append(o.printed, parts[0])
	return nil
}

func (o *settings) merchant(mchID string) *simulator.Merchant {
	at := slices.IndexFunc(o.Merchants, func(m simulator.Merchant) bool { return m.MchID == mchID })
	if at < 0 {
		return nil
	}
	return &o.Merchants[at]
}

func (o *settings) addSubMerchant(text string) error {
	parts := strings.Split(text, ":")
	granted := len(parts) > 2 && parts[len(parts)-1] == "refund"
	if granted {
		parts = parts[:len(parts)-1]
	}
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("want mch_id:sub_mchid[:sub_appid[,sub_appid...]][:refund]")
	}
	sub := simulator.SubMerchant{SubMchID: parts[1], RefundRight: granted}
	if len(parts) == 3 {
		sub.SubAppIDs = strings.Split(parts[2], ",")
	}
	if o.subMerchants == nil {
		o.subMerchants = map[string][]simulator.SubMerchant{}
	}
	o.subMerchants[parts[0]] = append(o.subMerchants[parts[0]], sub)
	return nil
}

func (o *settings) setVerification(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("want mch_id:certificate, mch_id:public-key or mch_id:migrating[:share]")
	}
	wanted := verification{by: simulator.Verification(parts[1])}
	if len(parts) == 3 {
		share, err := strconv.ParseFloat(parts[2], 64)
		if err != nil {
			return fmt.Errorf("share %q", parts[2])
		}
		wanted.share = share
	}
	if o.verifications == nil {
		o.verifications = map[string]verification{}
	}
	o.verifications[parts[0]] = wanted
	return nil
}

// completeV3 applies the flags about merchants, in whatever order they were given, and registers the certificates of an
// earlier run.
func (o *settings) completeV3() error {
	for mchID, subs := range o.subMerchants {
		m := o.merchant(mchID)
		if m == nil {
			return fmt.Errorf("--sub-merchant: there is no merchant %s", mchID)
		}
		m.SubMerchants = append(m.SubMerchants, subs...)
	}
	for mchID, wanted := range o.verifications {
		m := o.merchant(mchID)
		if m == nil {
			return fmt.Errorf("--verification: there is no merchant %s", mchID)
		}
		m.Verification, m.PublicKeyShare = wanted.by, wanted.share
	}
	if len(o.printed) > 0 && o.certificates == "" {
		return errors.New("--merchant-v3 needs --certificates, for the key that signs requests")
	}
	for _, mchID := range o.printed {
		if err := o.chooseKey(o.merchant(mchID)); err != nil {
			return err
		}
	}
	if o.certificates == "" {
		return nil
	}
	for i := range o.Merchants {
		certFile, _ := filesOf(o.certificates, o.Merchants[i].MchID)
		if certificate, err := os.ReadFile(certFile); err == nil {
			o.Merchants[i].Certificates = append(o.Merchants[i].Certificates, string(certificate))
		}
	}
	return nil
}

// chooseKey gives a merchant the APIv3 key of an earlier run, or a random one.
func (o *settings) chooseKey(m *simulator.Merchant) error {
	if m.APIV3Key != "" {
		return nil
	}
	file := filepath.Join(o.certificates, m.MchID+"-api-v3-key")
	kept, err := os.ReadFile(file)
	if err == nil {
		m.APIV3Key = strings.TrimSpace(string(kept))
		return nil
	}
	m.APIV3Key = rand.Text()[:16] + rand.Text()[:16]
	if err := os.MkdirAll(o.certificates, 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(m.APIV3Key+"\n"), 0o600)
}

// merchantV3 has the settings that an SDK of API v3 needs.
type merchantV3 struct {
	MchID        string   `json:"mchid"`
	AppIDs       []string `json:"appids"`
	SubMchIDs    []string `json:"sub_mchids,omitempty"`
	Certificate  string   `json:"certificate"`
	PrivateKey   string   `json:"private_key"`
	SerialNo     string   `json:"serial_no"`
	APIV3Key     string   `json:"api_v3_key"`
	PublicKey    string   `json:"public_key"`
	PublicKeyID  string   `json:"public_key_id"`
	Verification string   `json:"verification"`
}

// announceV3 writes WeChat Pay's public key and prints the settings of the merchants of --merchant-v3.
func announceV3(wechat *simulator.Simulator, o settings, lines *json.Encoder) error {
	if len(o.printed) == 0 {
		return nil
	}
	platform := wechat.Platform()
	public := filepath.Join(o.certificates, publicKeyFile)
	if err := os.WriteFile(public, []byte(platform.PublicKeyPEM), 0o600); err != nil {
		return err
	}
	for _, mchID := range o.printed {
		m := o.merchant(mchID)
		certFile, keyFile := filesOf(o.certificates, mchID)
		certificate, err := os.ReadFile(certFile)
		if err != nil {
			return err
		}
		serial, err := simulator.ClientCertificate{CertPEM: certificate}.SerialNo()
		if err != nil {
			return err
		}
		line := merchantV3{
			MchID: mchID, AppIDs: m.AppIDs, Certificate: certFile, PrivateKey: keyFile, SerialNo: serial, APIV3Key: m.APIV3Key,
			PublicKey: public, PublicKeyID: platform.PublicKeyID, Verification: string(m.Verification),
		}
		if line.Verification == "" {
			line.Verification = string(simulator.VerifyByCertificate)
		}
		for _, sub := range m.SubMerchants {
			line.SubMchIDs = append(line.SubMchIDs, sub.SubMchID)
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
