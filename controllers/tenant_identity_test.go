package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// tenant is a user who has the roles of a merchant's admin and of a shop in one namespace, and may
// write its Secrets. The policies that guard Secrets are in force.
func tenant(shop *framework.Shop, namespace string) client.Client {
	shop.T.Helper()
	shop.Must(env.Apply(shop.Context(), "config/rbac/*_role.yaml", "config/policy/*secrets*.yaml"))
	name := "tenant-of-" + namespace
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}
	secrets := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "secrets"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "create", "update"}}},
	}
	shop.Create(secrets, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "secrets"}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "secrets"},
	})
	for _, role := range []string{"wechatpay-operator-merchant-admin", "wechatpay-operator-shop"} {
		shop.Create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		})
	}
	config, err := env.User(name)
	shop.Must(err)
	as, err := client.New(config, client.Options{Scheme: controlplane.Scheme()})
	shop.Must(err)
	return as
}

// createAs retries while authorizer and admission have not seen what was created a moment ago.
func createAs(shop *framework.Shop, as client.Client, objects ...client.Object) {
	shop.T.Helper()
	for _, object := range objects {
		shop.Eventually("the tenant creates "+object.GetName(), func() error {
			return as.Create(shop.Context(), object.DeepCopyObject().(client.Object))
		})
	}
}

// TestTenantsMiniProgramOfAKnownAppIDIsNeverUsed: an appid is public. A tenant who may write
// MiniPrograms in a namespace of their own names the shop's, lends it to everybody, and has WeChat's
// answers for it.
func TestTenantsMiniProgramOfAKnownAppIDIsNeverUsed(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(1))
	namespace := shop.Other(0)
	shop.OpenWeixin()
	as := tenant(shop, namespace)
	createAs(shop, as, shop.NewAppSecret(namespace, framework.AppSecret), shop.NewMiniProgram("theirs", func(m *v1alpha1.MiniProgram) {
		m.Namespace, m.Spec.VirtualGoods, m.Spec.AllowedNamespaces.From = namespace, v1alpha1.VirtualGoodsShip, v1alpha1.NamespacesFromAll
	}))
	shop.WaitMiniProgram(namespace+"/theirs", "Ready=True/Ready")
	g.Expect(as.Create(shop.Context(), shop.NewMiniProgram("planted"))).NotTo(gomega.Succeed(), "the shop's namespace is not theirs")

	shop.Paid("order-0001")
	createAs(shop, as, shop.NewShipment("shipment-0001", "order-0001", func(s *v1alpha1.Shipment) { s.Namespace = namespace }))
	shop.WaitShipment(namespace+"/shipment-0001", "Uploaded=False/OrderNotFound")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shop.WaitShipment("shipment-0001", "Uploaded=False/MiniProgramNotFound")
	var shipments v1alpha1.ShipmentList
	shop.Must(shop.Client.List(shop.Context(), &shipments, client.InNamespace(shop.Namespace)))
	g.Expect(shipments.Items).To(gomega.HaveLen(1), "nothing is reported as delivered by theirs")
	g.Expect(shop.Weixin.Journal().Uploads).To(gomega.BeEmpty())

	shop.Create(shop.NewMiniProgram("ours"))
	uploaded := shop.WaitShipment("shipment-0001", "Uploaded=True/Uploaded")
	g.Expect(uploaded.Status.MiniProgram).To(gomega.Equal(shop.Namespace + "/ours"))
}

// ends has an Order end as one that WeChat Pay had, as a restore of another cluster's does.
func ends(shop *framework.Shop, name string) {
	shop.T.Helper()
	shop.Eventually(name+" is Closed", func() error {
		order := shop.Order(name)
		order.Status.Prepay = &v1alpha1.OrderPrepay{Attach: "given"} // as one that WeChat Pay had
		meta.SetStatusCondition(&order.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionPaid, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonClosed, Message: "closed",
		})
		return shop.Client.Status().Update(shop.Context(), order)
	})
}

// TestUnprovenTenantsOrdersNeverReachTheLedger: anybody may name another's merchant number in a
// Merchant. What becomes of its Orders is no fact of that number.
func TestUnprovenTenantsOrdersNeverReachTheLedger(t *testing.T) {
	shop, server, g := openWithLedger(t, framework.WithNamespaces(1))
	namespace := shop.Other(0)
	shop.Paid("order-0001")
	waitRecorded(shop, t, server, map[string]string{"order-0001": "Paid"})

	as := tenant(shop, namespace)
	keys := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "wechatpay"}, Data: map[string][]byte{
		"apiKey": []byte(secondMchKey), "apiV3Key": []byte(secondMchKey),
	}}
	merchant := shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace, m.Spec.Protocol, m.Spec.CertificateSecretRef = namespace, v1alpha1.ProtocolV2, nil
		m.Spec.APIKeySecretRef = v1alpha1.SecretKeyReference{Name: "wechatpay"}
		m.Spec.APIV3KeySecretRef, m.Spec.PublicKeys = v1alpha1.APIV3KeyReference{}, nil
	})
	createAs(shop, as, keys, merchant)
	for _, name := range []string{"order-0001", "order-0002"} {
		createAs(shop, as, shop.NewOrder(name, func(o *v1alpha1.Order) {
			o.Namespace, o.Spec.DesiredState = namespace, v1alpha1.DesiredStateClosed
		}))
		ends(shop, namespace+"/"+name)
	}
	shop.Paid("order-0003") // which is recorded after these would have been
	waitRecorded(shop, t, server, map[string]string{"order-0001": "Paid", "order-0003": "Paid"})
	found, err := states(t, server)
	shop.Must(err)
	g.Expect(found).To(gomega.HaveLen(2))
}
