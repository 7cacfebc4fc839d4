// Package orders reads Orders from the API server, with the rights of the ClusterRole
// wechatpay-operator-shop: what was sold, and who paid. Events hold neither.
package orders

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
)

// timeout is how long one read may take.
const timeout = 5 * time.Second

// Reader reads Orders.
type Reader struct{ client client.Reader }

// Connect finds the cluster as kubectl does, or by the ServiceAccount of the Pod that this runs in.
func Connect(log *slog.Logger) (*Reader, error) {
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	reader, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return &Reader{reader}, nil
}

// get returns the Order of a payment, and nil if it is gone. Another Order of the same name is not
// it.
func (r *Reader) get(ctx context.Context, e event.Event) (*v1alpha1.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	order := &v1alpha1.Order{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: e.Object.Namespace, Name: e.Object.Name}, order)
	if err != nil || string(order.UID) != e.Object.UID {
		return nil, client.IgnoreNotFound(err)
	}
	return order, nil
}

// Goods returns what was sold; nothing if the Order is gone.
func (r *Reader) Goods(ctx context.Context, e event.Event) (desk.Goods, error) {
	order, err := r.get(ctx, e)
	if order == nil {
		return desk.Goods{}, err
	}
	goods := desk.Goods{Description: order.Spec.Description}
	if order.Spec.Goods != nil {
		for _, item := range order.Spec.Goods.Items {
			goods.Items = append(goods.Items, desk.Item{Name: item.Name, Quantity: item.Quantity})
		}
	}
	return goods, nil
}

// Payer is who paid, for one message. It is never stored or logged.
type Payer struct {
	OpenID string
	// AppID under which the OpenID is known; empty for the Merchant's.
	AppID string
}

// Payer returns who paid an Order; nobody if that is not known, or the Order is gone.
func (r *Reader) Payer(ctx context.Context, e event.Event) (Payer, error) {
	order, err := r.get(ctx, e)
	if order == nil {
		return Payer{}, err
	}
	payer := Payer{AppID: order.Spec.AppID}
	if transaction := order.Status.Transaction; transaction != nil {
		payer.OpenID = transaction.OpenID
	}
	if payer.OpenID == "" && order.Spec.Payer != nil {
		payer.OpenID = order.Spec.Payer.OpenID
	}
	return payer, nil
}

// goodsWanted is how long after its arrival an order's goods are still looked for.
const goodsWanted = time.Hour

// Describe reads the goods of each payment into the Book until the context ends.
func (r *Reader) Describe(ctx context.Context, book *desk.Book, notices *desk.Notices, log *slog.Logger) {
	lacksGoods := func(e *desk.Entry) bool {
		return e.Event.IsPayment() && e.Goods == nil && book.IsYounger(e, goodsWanted)
	}
	pace := desk.Pace{First: 500 * time.Millisecond, Most: 10 * time.Second}
	book.Follow(ctx, lacksGoods, pace, func(ctx context.Context, entries []*desk.Entry) error {
		for _, entry := range entries {
			goods, err := r.Goods(ctx, entry.Event)
			if err != nil {
				if notices.Set(desk.Orders, "the goods can't be read: "+err.Error(), time.Now()) {
					log.Warn("Could not read an Order", "order", entry.Event.Object.Name, "problem", err)
				}
				return err
			}
			notices.Set(desk.Orders, "", time.Now())
			if err := book.Describe(entry.Event.ID, goods); err != nil {
				return err
			}
		}
		return nil
	})
}
