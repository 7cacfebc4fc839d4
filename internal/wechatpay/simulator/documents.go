package simulator

// SignedDocument is a message as WeChat sends it, with nonce_str and sign, for whoever sends other callbacks than those that
// payers and faults cause.
func SignedDocument(fields map[string]string, key string, signType SignType) []byte {
	return formatXML(signed(fields, key, signType), "xml")
}

// RefundDocument is a refund callback: it has its information sealed, and is not signed (chapter 9_16).
func RefundDocument(appID, mchID string, info map[string]string, key string) ([]byte, error) {
	sealed, err := sealRefundInfo(formatXML(info, "root"), key)
	return formatXML(message{
		"return_code": "SUCCESS", "appid": appID, "mch_id": mchID, "nonce_str": newNonce(), "req_info": sealed,
	}, "xml"), err
}
