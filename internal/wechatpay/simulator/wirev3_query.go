package simulator

import (
	"errors"
	"net/http"
	"regexp"
)

var transactionIDFormat = regexp.MustCompile(`^\d{1,32}$`)

// orderOfPath finds the order in the path of a query or a close call.
func (s *Simulator) orderOfPath(c *callV3) (*Order, error) {
	if err := c.merchant.checkParties("", c.params["sub_mchid"], ""); err != nil {
		return nil, err
	}
	ref := orderRef{mchID: c.mchID, subMchID: c.params["sub_mchid"]}
	if c.byID {
		if !transactionIDFormat.MatchString(c.pathNumber) {
			return nil, newProblem(500, "INVALID_TRANSACTIONID", internalParameter, "微信支付订单号非法")
		}
		ref.transactionID = c.pathNumber
	} else {
		ref.outTradeNo = c.pathNumber
	}
	return s.findOrder(ref)
}

// orderQueryV3 returns an order's state.
func (s *Simulator) orderQueryV3(c *callV3) (answerV3, error) {
	required := []string{"mchid"}
	if c.partner {
		required = []string{"sp_mchid", "sub_mchid"}
	}
	if err := c.checkQuery(required); err != nil {
		return answerV3{}, err
	}
	order, err := s.orderOfPath(c)
	if err != nil {
		return answerV3{}, err
	}
	return ok(transactionOf(order)), nil
}

// closeOrderV3 closes an unpaid order. Closing a closed one again is permitted.
func (s *Simulator) closeOrderV3(c *callV3) (answerV3, error) {
	if err := c.checkBody(partiesShape(c.partner)); err != nil {
		return answerV3{}, err
	}
	order, err := s.orderOfPath(c)
	if err == nil {
		err = s.closeOrder(order)
	}
	if errors.Is(err, errClosedAlready) || errors.Is(err, errOrderNotExist) && s.rules.closeUnknownOrders {
		err = nil
	}
	return answerV3{status: http.StatusNoContent}, err
}
