package simulator

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"time"
)

// billAddress is a bill that waits to be fetched.
type billAddress struct {
	file    billFile
	mchID   string
	expires time.Time
}

// billV3 answers with an address, under which the bill can be fetched for five minutes.
func (s *Simulator) billV3(c *callV3) (answerV3, error) {
	order, err := c.billOrder()
	if err != nil {
		return answerV3{}, err
	}
	text, err := s.bill(order)
	if err != nil {
		return answerV3{}, err
	}
	text = spoilBill(text, c.fault.of(c.mchID))
	now := s.now()
	maps.DeleteFunc(s.billAddresses, func(_ string, a billAddress) bool { return !now.Before(a.expires) })
	token := randomText(32)
	s.billAddresses[token] = billAddress{
		file: billFile{text: text, gzip: c.params["tar_type"] == "GZIP"}, mchID: c.mchID, expires: now.Add(s.rules.billAddressLife),
	}
	query := url.Values{"token": {token}}
	if c.params["tar_type"] == "GZIP" {
		query.Set("tartype", "gzip")
	}
	return ok(document{
		"hash_type": "SHA1", "hash_value": hashOf(text, c.fault), "download_url": "https://" + c.hostName + "/v3/billdownload/file?" + query.Encode(),
	}), nil
}

// billOrder reads the query of a request for a bill.
func (c *callV3) billOrder() (billOrder, error) {
	order := billOrder{kind: billKind(cmp.Or(c.params["bill_type"], "ALL")), mchID: c.mchID, subMchID: c.params["sub_mchid"]}
	optional := []string{"bill_type", "tar_type", "sub_mchid"}
	if c.operation == OperationFundBill {
		optional = []string{"account_type", "tar_type"}
		order.kind, order.account = billFund, cmp.Or(c.params["account_type"], "BASIC")
	}
	if err := c.checkQuery([]string{"bill_date"}, optional...); err != nil {
		return order, err
	}
	for name, allowed := range map[string][]string{
		"bill_type": {"ALL", "SUCCESS", "REFUND", "RECHARGE_REFUND"}, "tar_type": {"GZIP"}, "account_type": {"BASIC", "OPERATION", "FEES"},
	} {
		if value, given := c.params[name]; given && !slices.Contains(allowed, value) {
			return order, badParameter(name, "is no value of the enumeration", internalParameter)
		}
	}
	day, err := time.ParseInLocation(dayFormat, c.params["bill_date"], beijing)
	if err != nil {
		return order, badParameter("bill_date", "is not a date", internalParameter)
	}
	order.day = day
	if order.subMchID != "" {
		return order, c.merchant.checkParties("", order.subMchID, "")
	}
	return order, nil
}

// billFileV3 returns the bill at an address to the merchant that asked for it.
func (s *Simulator) billFileV3(c *callV3) (billFile, error) {
	if err := c.checkQuery([]string{"token"}, "tartype"); err != nil {
		return billFile{}, err
	}
	address, found := s.billAddresses[c.params["token"]]
	switch {
	case !found || !s.now().Before(address.expires):
		return billFile{}, newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "token已失效")
	case address.mchID != c.mchID:
		return billFile{}, newProblem(403, "NO_AUTH", internalInvalidRequest, "无权下载该账单")
	default:
		return address.file, nil
	}
}
