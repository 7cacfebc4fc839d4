package simulator

import "crypto/subtle"

// verifiesPaySignV2 verifies paySign, or an app's sign: like that of a message, over the parameters
// under the names that the client uses, with the sign type of unifiedorder.
func (s *Simulator) verifiesPaySignV2(m *merchant, o *Order, request ClientPayment, inApp bool) bool {
	id, _ := request.prepayID()
	signType, given := o.signTypeOfPrepay(id), request.PaySign
	parameters := message{
		"appId": request.AppID, "timeStamp": request.TimeStamp, "nonceStr": request.NonceStr, "package": request.Package,
		"signType": request.SignType,
	}
	if inApp {
		given = request.Sign
		parameters = message{
			"appid": request.AppID, "timestamp": request.TimeStamp, "noncestr": request.NonceStr, "package": appPackage,
			"partnerid": request.PartnerID, "prepayid": request.PrepayID,
		}
	} else if request.SignType != string(signType) {
		return false
	}
	want := signature(parameters, m.APIKey, signType)
	return m.APIKey != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}
