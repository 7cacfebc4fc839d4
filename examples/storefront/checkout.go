package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const (
	// mostTurns is how many Orders of the same goods a session can make without naming baskets.
	mostTurns = 100
	// longestBasket bounds the page's name of a basket, in bytes.
	longestBasket = 128
)

// checkoutRequest is what a page sends. It has no price.
type checkoutRequest struct {
	ID        string             `json:"id"`
	Num       int64              `json:"num"`
	Basket    string             `json:"basket"`
	TradeType v1alpha1.TradeType `json:"tradeType"`
}

// checkout answers POST /createdOrder: what the payer's client needs to pay.
type checkout struct {
	Code        int      `json:"code"`
	OrderNumber string   `json:"orderNumber"`
	PayInfo     *payInfo `json:"payInfo,omitempty"`
	MWEBURL     string   `json:"mwebURL,omitempty"`
	CodeURL     string   `json:"codeURL,omitempty"`
}

// payInfo is what wx.requestPayment takes, and the prepay_id by itself.
type payInfo struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"`
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"`
	PrepayID  string `json:"prepay_id"`
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}

// payInfo returns nil unless the Order can be paid through WeChat's client now, and there are pieces for it. Nothing else tells a page
// how to pay through that client.
func (e entry) payInfo() *payInfo {
	order := e.order
	if e.state() != orderAwaitingPayment || order.Status.Prepay.JSAPI == nil {
		return nil
	}
	p := order.Status.Prepay.JSAPI
	return &payInfo{
		AppID: p.AppID, TimeStamp: p.TimeStamp, NonceStr: p.NonceStr, Package: p.Package, SignType: p.SignType, PaySign: p.PaySign,
		PrepayID: order.Status.Prepay.ID,
	}
}

// createOrder answers POST /createdOrder. It may be called again at any time, on any replica: the same basket is the same Order.
func (s *storefront) createOrder(r *http.Request) (any, error) {
	by, err := s.sessions.of(r)
	if err != nil {
		return nil, err
	}
	request, err := readJSON[checkoutRequest](r)
	if err != nil {
		return nil, err
	}
	wanted, err := s.goodsOf(request, by)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.settings.wait)
	defer cancel()
	placed, err := s.orderOfBasket(ctx, by, wanted, request.Basket, s.clientIP(r))
	if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
		return nil, tryAgain("the order is not prepared yet; ask again for the same basket")
	}
	if err != nil {
		return nil, err
	}
	prepay := placed.order.Status.Prepay
	return checkout{OrderNumber: placed.order.Name, PayInfo: placed.payInfo(), MWEBURL: prepay.MWEBURL, CodeURL: prepay.CodeURL}, nil
}

// goodsOf looks up what a page wants, and refuses what can't be sold to this payer.
func (s *storefront) goodsOf(request checkoutRequest, by session) (goods, error) {
	wanted := goods{quantity: request.Num, tradeType: request.TradeType}
	if wanted.tradeType == "" {
		wanted.tradeType = v1alpha1.TradeTypeJSAPI
	}
	switch {
	case request.ID == "":
		return wanted, badRequest("id is missing: the product's, as GET /catalog has it")
	case request.Num < 1 || request.Num > mostPieces:
		return wanted, badRequest("num must be a whole number from 1 to %d", mostPieces)
	case len(request.Basket) > longestBasket:
		return wanted, badRequest("basket must be at most %d bytes long", longestBasket)
	case !slices.Contains([]v1alpha1.TradeType{v1alpha1.TradeTypeJSAPI, v1alpha1.TradeTypeMWEB, v1alpha1.TradeTypeNative}, wanted.tradeType):
		return wanted, badRequest("tradeType must be JSAPI, MWEB or NATIVE")
	case wanted.tradeType == v1alpha1.TradeTypeJSAPI && by.OpenID == "":
		return wanted, badRequest("tradeType JSAPI needs a login in WeChat; in a browser it is MWEB or NATIVE")
	}
	var err error
	if wanted.product, err = s.catalogue.find(request.ID); err != nil {
		return wanted, err
	}
	if wanted.total() > largestTotal {
		return wanted, badRequest("%d pieces of %q cost more than WeChat Pay takes at once", request.Num, request.ID)
	}
	return wanted, nil
}

// orderOfBasket returns the Order of a basket when it can be paid. A page that names no basket gets its open Order of the same goods,
// or the next one.
func (s *storefront) orderOfBasket(ctx context.Context, by session, wanted goods, basket, clientIP string) (entry, error) {
	if basket != "" {
		return s.place(ctx, s.newOrder(s.numbers.ofBasket(by.payer(), basket), by, wanted, basket, clientIP), wanted)
	}
	for _, order := range s.book.ordersOf(by.payer()) {
		if _, named := order.Annotations[annotationBasket]; !named && wanted.soldBy(order) && stateOf(order) == orderAwaitingPayment {
			return s.place(ctx, order, wanted)
		}
	}
	for turn := range mostTurns {
		number := s.numbers.ofGoods(by.ID, wanted, turn)
		if known := s.book.order(number); known != nil && !isOpen(known) {
			continue
		}
		order, err := s.place(ctx, s.newOrder(number, by, wanted, "", clientIP), wanted)
		var told refusal
		if errors.As(err, &told) && told.code == codeOrderEnded {
			continue // it ended on another replica, or just now
		}
		return order, err
	}
	return entry{}, badRequest("this session ordered the same %d times; name a basket", mostTurns)
}

// place creates an Order unless it is there, and waits until it can be paid.
func (s *storefront) place(ctx context.Context, order *v1alpha1.Order, wanted goods) (entry, error) {
	if err := s.create(ctx, order, wanted); err != nil {
		return entry{}, err
	}
	var prepared entry
	number := order.Name
	refresh := refresher{storefront: s}
	err := s.book.await(ctx, number, func(known entry) (bool, error) {
		if known.order == nil {
			return false, nil // the watch is about to show it
		}
		if err := check(known, order.Labels[labelPayer], wanted); err != nil {
			return false, err
		}
		prepared = known
		if known.state() != orderAwaitingPayment {
			return false, nil
		}
		return refresh.isFresh(ctx, known.order)
	})
	if errors.Is(err, context.DeadlineExceeded) {
		s.logUnprepared(number)
	}
	return prepared, err
}

// create creates an Order, if the book has none of this number and there is stock for it. One that is there already is as good.
func (s *storefront) create(ctx context.Context, order *v1alpha1.Order, wanted goods) error {
	if s.book.order(order.Name) != nil {
		return nil
	}
	made, err := s.book.reserve(order.Name, wanted)
	if err != nil {
		return err
	}
	err = s.kube.Create(ctx, order)
	if err == nil {
		return nil // what is reserved is the Order's claim when the watch shows it
	}
	if made { // an earlier request's reservation stands for the Order that it created
		s.book.release(order.Name, wanted)
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil // a second click, a retry, or another replica was faster
	case apierrors.IsInvalid(err):
		return badRequest("%s", causes(err))
	}
	return err
}

// check refuses an Order that is not what the page wants, has ended, or was created when all pieces were taken. The watch closes the last.
func check(known entry, payer string, wanted goods) error {
	order := known.order
	state := stateOf(order)
	switch {
	case order.Labels[labelPayer] != payer:
		return noSuchOrder(order.Name)
	case !wanted.soldBy(order):
		return badRequest("this basket was ordered with another id, num or tradeType: name another basket")
	case order.Annotations[annotationWithdrawn] != "":
		return soldOut(wanted, 0)
	case isOpen(order) && known.excess:
		return soldOut(wanted, 0)
	case !isOpen(order), order.Spec.DesiredState == v1alpha1.DesiredStateClosed, order.DeletionTimestamp != nil:
		return orderEnded("order %s is %s", order.Name, state)
	}
	return nil
}

func (s *storefront) patch(ctx context.Context, order *v1alpha1.Order, changes map[string]any) error {
	patch, err := json.Marshal(changes)
	if err != nil {
		return err
	}
	target := &v1alpha1.Order{}
	target.Namespace, target.Name = order.Namespace, order.Name
	return s.kube.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
}

// causes are what the API server says is wrong with the fields of an object.
func causes(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return "the order is not valid"
	}
	var texts []string
	for _, cause := range status.Status().Details.Causes {
		texts = append(texts, cause.Message)
	}
	return strings.Join(texts, "; ")
}

// An MWEB link lives five minutes, and a prepay two hours; status.prepay says when the latter ends.
const (
	prepayLifetime = 2 * time.Hour
	linkLifetime   = 4 * time.Minute // leaves the payer a minute
)

// refresher has the operator renew an MWEB link that is too old.
type refresher struct {
	storefront *storefront
	// request is the value of the annotation that asks for it.
	request string
}

// isFresh reports whether the payer can use what the Order has.
func (r *refresher) isFresh(ctx context.Context, order *v1alpha1.Order) (bool, error) {
	prepay := order.Status.Prepay
	if order.Spec.TradeType != v1alpha1.TradeTypeMWEB || prepay.ExpireTime == nil {
		return true, nil
	}
	now := r.storefront.sessions.now()
	given := prepay.ExpireTime.Add(-prepayLifetime)
	if now.Before(given.Add(linkLifetime)) || (r.request != "" && prepay.RefreshRequest == r.request) {
		return true, nil
	}
	if r.request == "" {
		r.request = now.UTC().Format(time.RFC3339)
		return false, r.storefront.patch(ctx, order, map[string]any{
			"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationRefreshPrepay: r.request}},
		})
	}
	return false, nil
}

// logUnprepared says in the log why an Order can't be paid yet.
func (s *storefront) logUnprepared(number string) {
	order := s.book.order(number)
	if order == nil {
		slog.Warn("the watch has not shown an order in time", "order", number)
		return
	}
	prepared := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPrepared)
	if prepared == nil {
		slog.Warn("the operator has not looked at an order in time", "order", number)
		return
	}
	slog.Warn("an order was not prepared in time", "order", number, "reason", prepared.Reason, "message", prepared.Message)
}
