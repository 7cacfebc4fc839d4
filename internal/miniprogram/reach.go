package miniprogram

import (
	"cmp"
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
)

// ForAppID returns the MiniProgram of an appid that a namespace may use; nil if there is none. If
// there are several, its own namespace comes first, and then they go by their names.
func ForAppID(ctx context.Context, reader client.Reader, namespace, appID string) (*v1alpha1.MiniProgram, error) {
	var all v1alpha1.MiniProgramList
	if err := reader.List(ctx, &all, client.MatchingFields{index.MiniProgramAppID: appID}, index.WithoutOwnWrites); err != nil {
		return nil, err
	}
	own := func(m v1alpha1.MiniProgram) int {
		if m.Namespace == namespace {
			return 0
		}
		return 1
	}
	slices.SortFunc(all.Items, func(a, b v1alpha1.MiniProgram) int {
		return cmp.Or(cmp.Compare(own(a), own(b)), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for i := range all.Items {
		m := &all.Items[i]
		if m.DeletionTimestamp != nil {
			continue
		}
		allowed, err := account.PermitsNamespace(ctx, reader, m, m.Spec.AllowedNamespaces.From, m.Spec.AllowedNamespaces.Selector, namespace)
		if err != nil {
			return nil, err
		}
		if allowed {
			return m, nil
		}
	}
	return nil, nil
}
