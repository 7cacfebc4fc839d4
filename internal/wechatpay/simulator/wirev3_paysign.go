package simulator

import "encoding/base64"

// verifiesPaySignV3 verifies paySign, or an app's sign: four lines, signed with the key of one of
// the merchant's API certificates. An app signs the bare prepay_id, others all of package.
func (s *Simulator) verifiesPaySignV3(m *merchant, _ *Order, request ClientPayment, inApp bool) bool {
	given, last := request.PaySign, request.Package
	if inApp {
		given, last = request.Sign, request.PrepayID
	} else if request.SignType != "RSA" {
		return false
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(given)
	if err != nil {
		return false
	}
	signed := request.AppID + "\n" + request.TimeStamp + "\n" + request.NonceStr + "\n" + last + "\n"
	for _, certificate := range s.store.certificatesOf(m) {
		if certificate.isValid(s.now()) && verifiesRSA(certificate.key, signed, signature) {
			return true
		}
	}
	return false
}
