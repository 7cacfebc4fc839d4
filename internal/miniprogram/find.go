package miniprogram

import (
	"cmp"
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// FindForOrder returns the MiniProgram in which an Order was paid; nil if it may use none.
//
// It is in the Order's namespace, or in that of the Order's Merchant, which the shop trusts with
// its money already. A MiniProgram in another namespace is never used, whatever namespaces it
// allows: appids are public, so any user could create one with the appid of a shop, and would get
// its payers' openids and decide what is reported as shipped to them.
func FindForOrder(ctx context.Context, reader client.Reader, order *v1alpha1.Order, merchant *v1alpha1.Merchant) (*v1alpha1.MiniProgram, error) {
	appID := lifecycle.PayerAppID(order, merchant)
	for _, namespace := range slices.Compact([]string{order.Namespace, merchant.Namespace}) {
		var all v1alpha1.MiniProgramList
		if err := reader.List(ctx, &all, client.InNamespace(namespace), client.MatchingFields{index.MiniProgramAppID: appID}, index.WithoutOwnWrites); err != nil {
			return nil, err
		}
		slices.SortFunc(all.Items, func(a, b v1alpha1.MiniProgram) int { return cmp.Compare(a.Name, b.Name) })
		for i := range all.Items {
			m := &all.Items[i]
			if m.DeletionTimestamp != nil {
				continue
			}
			allowed, err := account.PermitsNamespace(ctx, reader, m, m.Spec.AllowedNamespaces.From, m.Spec.AllowedNamespaces.Selector, order.Namespace)
			if err != nil {
				return nil, err
			}
			if allowed {
				return m, nil
			}
		}
	}
	return nil, nil //nolint:nilnil // there may be none
}
