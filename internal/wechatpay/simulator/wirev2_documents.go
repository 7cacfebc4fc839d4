package simulator

// SignedDocument builds a message as WeChat Pay sends it, with nonce_str and sign, for tests that
// send their own callbacks.
func SignedDocument(fields map[string]string, key string, signType SignType) []byte {
	return formatXML(signed(fields, key, signType), "xml")
}

// RefundDocument builds a refund callback: its information is encrypted, and it is not signed
// (chapter 9_16).
func RefundDocument(appID, mchID string, info map[string]string, key string) ([]byte, error) {
	return refundDocument(message{"appid": appID, "mch_id": mchID}, info, key)
}

func refundDocument(parties, info message, key string) ([]byte, error) {
	sealed, err := sealRefundInfo(formatXML(info, "root"), key)
	parties["return_code"], parties["nonce_str"], parties["req_info"] = "SUCCESS", newNonce(), sealed
	return formatXML(parties, "xml"), err
}
