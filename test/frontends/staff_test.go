package frontends

import (
	"net/http"
	"net/http/httptest"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// openStaff does for the tests of pages what the shop's staff does by kubectl: it ends an order that is not paid, and
// answers when it has ended.
func openStaff(shop *framework.Shop) string {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{number}/close", func(w http.ResponseWriter, r *http.Request) {
		order := shop.NewOrder(r.PathValue("number"))
		wish := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"desiredState":"Closed"}}`))
		err := shop.Client.Patch(r.Context(), order, wish)
		for err == nil && !meta.IsStatusConditionFalse(order.Status.Conditions, v1alpha1.ConditionPaid) {
			err = shop.Client.Get(r.Context(), client.ObjectKeyFromObject(order), order)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	server := httptest.NewServer(mux)
	shop.T.Cleanup(server.Close)
	return server.URL
}
