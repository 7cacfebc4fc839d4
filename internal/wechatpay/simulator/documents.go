package simulator

// SignedDocument builds a message as WeChat Pay sends it, with nonce_str and sign, for tests that
// send their own callbacks.
func SignedDocument(fields map[string]string, key string, signType SignType) []byte {
	return formatXML(signed(fields, key, signType), "xml")
}

// RefundDocument builds a refund callback: its information is encrypted, and it is not signed
// (chapter 9_16).
func RefundDocument(appID, mchID string, info map[string]string, key string) ([]byte, error) {
	sealed, err := sealRefundInfo(formatXML(info, "root"), key)
	return formatXML(message{
		"return_code": "SUCCESS", "appid": appID, "mch_id": mchID, "nonce_str": newNonce(), "req_info": sealed,
	}, "xml"), err
}
