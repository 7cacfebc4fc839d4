// Command backend is what a shop's backend does to be paid: it creates an Order, prints what the shop's page hands to
// wx.requestPayment, and waits until WeChat Pay says that the Order is paid.
//
//	go run ./examples/backend -namespace shop -openid oUpF8uMuAJO_M2pxb1Q9zNjWeS6o order-20261121-0009
//
// It needs the rights of the ClusterRole wechatpay-operator-shop in its namespace, and no others.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func main() {
	namespace := flag.String("namespace", "default", "namespace of the Order and of the Merchant")
	merchant := flag.String("merchant", "shop", "name of the Merchant")
	openID := flag.String("openid", "", "openid of the payer under the Merchant's appid")
	flag.Parse() // --kubeconfig is a flag of controller-runtime
	if flag.NArg() != 1 || *openID == "" {
		fmt.Fprintln(os.Stderr, "usage: backend -namespace <namespace> -openid <openid> <number of the order>")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *namespace, *merchant, flag.Arg(0), *openID)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, namespace, merchant, number, openID string) error {
	kube, err := connect()
	if err != nil {
		return err
	}
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: number},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: merchant},
			TradeType:   v1alpha1.TradeTypeJSAPI,
			Description: "肥皂 x1",
			Amount:      v1alpha1.Amount{Total: 101, Currency: v1alpha1.CurrencyCNY}, // 101 fen are 1.01 yuan
			Payer:       &v1alpha1.Payer{OpenID: openID},
		},
	}
	return pay(ctx, kube, order)
}

// pay creates the Order, hands over what its payer needs, and returns nil when it is paid. After an error it can be
// called again with the same Order.
func pay(ctx context.Context, kube client.WithWatch, order *v1alpha1.Order) error {
	// The name is the number at WeChat Pay: a retry finds the Order that is there, and makes no second payment.
	if err := kube.Create(ctx, order); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	changes, err := kube.Watch(ctx, &v1alpha1.OrderList{},
		client.InNamespace(order.Namespace), client.MatchingFields{"metadata.name": order.Name})
	if err != nil {
		return err
	}
	defer changes.Stop()
	handedOver := false
	for change := range changes.ResultChan() {
		now, isOrder := change.Object.(*v1alpha1.Order)
		switch {
		case !isOrder:
			return errors.New("the watch failed: call pay again")
		case meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionPaid):
			return ship(now)
		case meta.IsStatusConditionFalse(now.Status.Conditions, v1alpha1.ConditionPaid):
			return fmt.Errorf("%s ended without a payment", now.Name)
		case meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionPrepared) && !handedOver:
			if err := handOver(now.Status.Prepay.JSAPI); err != nil {
				return err
			}
			handedOver = true
		}
	}
	return errors.New("the watch ended before the payment: call pay again")
}

// handOver prints what wx.requestPayment takes, name for name. A backend answers its page with it.
func handOver(parameters *v1alpha1.JSAPIParameters) error {
	return json.NewEncoder(os.Stdout).Encode(parameters)
}

// ship says that the order can be shipped. A backend writes it into its books.
func ship(order *v1alpha1.Order) error {
	_, err := fmt.Println("paid by transaction", order.Status.Transaction.ID)
	return err
}

// connect finds the cluster as kubectl does, or by the ServiceAccount of the Pod that this runs in.
func connect() (client.WithWatch, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}
