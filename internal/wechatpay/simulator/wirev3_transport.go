package simulator

import (
	"cmp"
	"crypto/rsa"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// callV3 is a call of API v3.
type callV3 struct {
	call
	routeV3
	method, target string
	// hostName is how the merchant calls this host.
	hostName string
	header   http.Header
	body     []byte
	// document is the body of a POST; documentErr says why it can't be read.
	document    map[string]any
	documentErr error
	// params are the members of the body by their paths, or the query.
	params        map[string]string
	authorization authorization
}

// routeV3 is what a path stands for.
type routeV3 struct {
	api Operation
	// partner is true for the paths of service-provider mode.
	partner bool
	// product is jsapi, native, app or h5.
	product string
	// pathNumber is the number in the path, and byID tells that it is WeChat Pay's own.
	pathNumber string
	byID       bool
}

func (c *callV3) common() *call { return &c.call }

// routeOf reads a path.
func routeOf(method, path string) (routeV3, bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/v3/"), "/")
	isGet, isPost := method == http.MethodGet, method == http.MethodPost
	at := func(want ...string) bool { // "*" is any number
		return slices.EqualFunc(want, parts, func(w, part string) bool { return part != "" && (w == "*" || w == part) })
	}
	switch {
	case isGet && at("certificates"):
		return routeV3{api: OperationCertificates}, true
	case isGet && at("bill", "tradebill"):
		return routeV3{api: OperationTradeBill}, true
	case isGet && at("bill", "fundflowbill"):
		return routeV3{api: OperationFundBill}, true
	case isGet && at("billdownload", "file"):
		return routeV3{api: OperationBillFile}, true
	case isPost && at("refund", "domestic", "refunds"):
		return routeV3{api: OperationRefund}, true
	case isGet && at("refund", "domestic", "refunds", "*"):
		return routeV3{api: OperationRefundQuery, pathNumber: parts[3]}, true
	case isPost && at("refund", "domestic", "refunds", "*", "apply-abnormal-refund"):
		return routeV3{api: OperationAbnormalRefund, pathNumber: parts[3], byID: true}, true
	}
	partner := len(parts) > 1 && parts[1] == "partner"
	if partner {
		parts = slices.Delete(parts, 1, 2)
	}
	switch {
	case isPost && at("pay", "transactions", "*") && products[parts[2]] != "":
		return routeV3{api: OperationUnifiedOrder, partner: partner, product: parts[2]}, true
	case isGet && at("pay", "transactions", "out-trade-no", "*"):
		return routeV3{api: OperationOrderQuery, partner: partner, pathNumber: parts[3]}, true
	case isGet && at("pay", "transactions", "id", "*"):
		return routeV3{api: OperationOrderQuery, partner: partner, pathNumber: parts[3], byID: true}, true
	case isPost && at("pay", "transactions", "out-trade-no", "*", "close"):
		return routeV3{api: OperationCloseOrder, partner: partner, pathNumber: parts[3]}, true
	}
	return routeV3{}, false
}

func (s *Simulator) gatewayV3(w http.ResponseWriter, r *http.Request, host Host) {
	route, known := routeOf(r.Method, r.URL.Path)
	c := &callV3{
		call: call{protocol: ProtocolV3, host: host, operation: route.api}, routeV3: route, method: r.Method,
		target: r.RequestURI, hostName: r.Host, header: r.Header, params: map[string]string{},
	}
	if !known {
		c.send(s, w, nil, newProblem(404, "RESOURCE_NOT_EXISTS", internalParameter, "接口不存在"), nil)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDocument))
	if err != nil {
		c.send(s, w, nil, badParameter("/body", "is too long", internalRange), nil)
		return
	}
	c.body = body
	c.read(r.URL.RawQuery)
	if err := s.identifyV3(c); err != nil {
		c.send(s, w, nil, notSigned(err), nil)
		return
	}
	s.answer(w, r, c)
}

// read parses the query or the body, and sets what the ledger and faults know the call by. An error
// is told only to a merchant that is proven.
func (c *callV3) read(query string) {
	if c.method == http.MethodGet {
		values, err := url.ParseQuery(query)
		if err != nil {
			c.documentErr = badParameter("/query", "can't be read", internalParameter)
		}
		for name, given := range values {
			c.params[name] = given[0]
			if len(given) > 1 {
				c.documentErr = badParameter(name, "is there twice", internalParameter)
			}
		}
	} else {
		c.document, c.documentErr = parseDocument(c.body)
		for _, name := range []string{"mchid", "sp_mchid", "sub_mchid", "out_trade_no", "transaction_id", "out_refund_no"} {
			if value, isText := c.document[name].(string); isText {
				c.params[name] = value
			}
		}
	}
	c.mchID = cmp.Or(c.params["sp_mchid"], c.params["mchid"])
	c.subMchID = c.params["sub_mchid"]
	c.outRefundNo = c.params["out_refund_no"]
	c.number = cmp.Or(c.outRefundNo, c.pathNumber, c.params["out_trade_no"], c.params["transaction_id"], c.params["bill_date"])
}

// identifyV3 verifies Authorization against the API certificates of the merchant that it names.
func (s *Simulator) identifyV3(c *callV3) error {
	given, err := parseAuthorization(c.header.Get("Authorization"))
	if err != nil {
		return err
	}
	now := s.wireTime()
	var m *merchant
	find := func(mchID, serial string) *rsa.PublicKey {
		s.mu.Lock()
		defer s.mu.Unlock()
		if m = s.store.merchants[mchID]; m == nil {
			return nil
		}
		if certificate := s.store.certificateOf(m, serial, s.now()); certificate != nil {
			return certificate.key
		}
		return nil
	}
	if err := given.verify(c.method, c.target, c.body, now, find); err != nil {
		return err
	}
	if c.mchID != "" && c.mchID != given.mchID {
		return errHeaderMchID
	}
	c.authorization, c.merchant, c.mchID = given, m, given.mchID
	c.order = orderRef{
		mchID: c.mchID, subMchID: c.subMchID, transactionID: c.params["transaction_id"], outTradeNo: c.params["out_trade_no"],
	}
	return nil
}

// perform implements wireCall.
func (c *callV3) perform(s *Simulator) (any, error) {
	if c.merchant.nonces.isReused(c.authorization, s.now()) {
		s.violate(ViolationNonceReuse, c.operation, c.mchID, c.number, "nonce_str "+c.authorization.nonce)
	}
	if err := c.checkHeaders(); err != nil {
		return nil, err
	}
	if c.documentErr != nil {
		return nil, c.documentErr
	}
	if c.operation == OperationBillFile {
		file, err := s.billFileV3(c)
		return file, err
	}
	answer, err := interfacesV3[c.operation](s, c)
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// checkHeaders requires the headers that WeChat Pay documents.
func (c *callV3) checkHeaders() error {
	for _, name := range []string{"Accept", "User-Agent"} {
		if c.header.Get(name) == "" {
			return badParameter(name, "header is missing", internalParameter)
		}
	}
	if c.method == http.MethodPost {
		if media, _, err := mime.ParseMediaType(c.header.Get("Content-Type")); err != nil || media != "application/json" {
			return badParameter("Content-Type", "is not application/json", internalParameter)
		}
	}
	return nil
}

var interfacesV3 = map[Operation]func(*Simulator, *callV3) (answerV3, error){
	OperationUnifiedOrder:   (*Simulator).prepayV3,
	OperationOrderQuery:     (*Simulator).orderQueryV3,
	OperationCloseOrder:     (*Simulator).closeOrderV3,
	OperationRefund:         (*Simulator).refundV3,
	OperationRefundQuery:    (*Simulator).refundQueryV3,
	OperationAbnormalRefund: (*Simulator).abnormalRefundV3,
	OperationCertificates:   (*Simulator).certificatesV3,
	OperationTradeBill:      (*Simulator).billV3,
	OperationFundBill:       (*Simulator).billV3,
}

// checkQuery refuses query parameters other than these, and requires the first ones.
func (c *callV3) checkQuery(required []string, optional ...string) error {
	for _, name := range required {
		if c.params[name] == "" {
			return badParameter(name, "is missing", internalParameter)
		}
	}
	for name := range c.params {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			return badParameter(name, "is unknown", internalExtraMember)
		}
	}
	return nil
}

// checkBody compares the body with its shape and sets params.
func (c *callV3) checkBody(sh shape) error {
	c.params = map[string]string{}
	return sh.check("", c.document, c.params)
}
