package performance

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// The shop and a stranger, each with a Merchant of the same name as its namespace. The keys are for the simulator only.
const (
	shop, mchID, apiKey                  = "shop", "1900000109", "BenchOnlyKey0BenchOnlyKey0Bench0"
	apiV3Key                             = "BenchOnlyKey3BenchOnlyKey3Bench3"
	stranger, strangerMchID, strangerKey = "stranger", "1900000110", "BenchOnlyKey1BenchOnlyKey1Bench1"

	appID  = "wxd678efh567hg6787"
	openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// stage is a control plane with an installation, a simulated WeChat Pay and a shop. Only the operator is missing.
type stage struct {
	*bench
	folder  string
	cluster *controlplane.Environment
	// identity is the operator's, with the rights of its ServiceAccount; api is the administrator's client.
	identity *rest.Config
	api      *http.Client
	admin    *simulator.AdminClient
	endpoint v1alpha1.Endpoint
	merchant *v1alpha1.Merchant
	// at is where each operator of the stage serves, unless there are two.
	at addresses
	// apart: each operator is kept away from the control plane's cores.
	apart bool
}

// scene has the settings of a stage.
type scene struct {
	// finalizerAtCreation adds the component that saves the operator a write.
	finalizerAtCreation bool
	// payAfter makes payers pay after this time.
	payAfter time.Duration
	// open are the out_trade_nos of orders that WeChat has from the beginning, and that are never paid.
	open []string
	// v3: WeChat Pay knows the shop's merchant number under API v3 too.
	v3 bool
	// apart keeps the control plane and everything else on cores of their own.
	apart bool
	// audited has kube-apiserver log the operator's requests.
	audited bool
}

// open builds a stage.
func (b *bench) open(is scene) *stage {
	s := &stage{bench: b, folder: b.TempDir(), at: b.freeAddresses(), apart: is.apart}
	var options []controlplane.Option
	if is.audited {
		b.must(os.WriteFile(s.file("policy.yaml"), []byte(auditPolicy), 0o600))
		options = append(options, func(c *envtest.ControlPlane) {
			c.GetAPIServer().Configure().Set("audit-policy-file", s.file("policy.yaml")).Set("audit-log-path", s.file("audit.log"))
		})
	}
	var err error
	s.cluster, err = controlplane.Start(options...)
	b.must(err)
	b.Cleanup(func() { b.must(s.cluster.Stop()) })
	s.api, err = rest.HTTPClientFor(s.cluster.Config)
	b.must(err)
	s.install(is)
	s.startWeChat(is)
	s.openShop()
	s.awaitPolicies(is)
	return s
}

func (s *stage) file(name string) string { return filepath.Join(s.folder, name) }

// install applies what a cluster gets. The Deployment stays without pods, since there is no kubelet.
func (s *stage) install(is scene) {
	objects, err := controlplane.Kustomize(s.ctx, "config/default")
	s.must(err)
	s.must(s.cluster.ServerSideApply(s.ctx, objects...))
	if is.finalizerAtCreation {
		s.must(s.cluster.Apply(s.ctx, "config/components/finalizer-at-creation/*.yaml"))
	}
	s.identity, err = s.cluster.ServiceAccount(s.ctx, controlplane.OperatorNamespace, controlplane.OperatorServiceAccount)
	s.must(err)
}

// awaitPolicies waits until the API server has loaded the policies, and the new kinds, which the policies need.
func (s *stage) awaitPolicies(is scene) {
	s.await("Orders to be taken", soon, func() error {
		order := newOrder(shop, "dry-run")
		err := s.cluster.Client.Create(s.ctx, order, client.DryRunAll)
		if err == nil && is.finalizerAtCreation && len(order.Finalizers) == 0 {
			err = errors.New("the finalizer is not added yet")
		}
		return err
	})
}

func (s *stage) startWeChat(is scene) {
	address := s.freeAddress()
	arguments := []string{
		"--admin-listen=" + address, "--merchant=" + mchID + ":" + appID + ":" + apiKey, "--merchant=" + strangerMchID + ":" + appID + ":" + strangerKey,
		"--pay-after=" + is.payAfter.String(), "--refund-delay=100ms", "--log-level=warn",
	}
	if is.v3 {
		arguments = append(arguments, "--merchant-v3="+mchID+":"+appID+":"+apiV3Key, "--verification="+mchID+":public-key",
			"--certificates="+s.file("certificates"))
	}
	if len(is.open) > 0 {
		s.writeOpenOrders(s.file("wechat.jsonl"), is.open)
		arguments = append(arguments, "--state="+s.file("wechat.jsonl"))
	}
	wechat, err := process.Start("simulator", s.file("wechat.log"), inRepository("bin/simulator"), arguments, func(*process.Process) {})
	s.must(err)
	s.Cleanup(func() { s.must(wechat.Stop()) })
	s.admin = simulator.NewAdminClient("http://" + address)
	s.await("the simulated WeChat Pay", soon, func() error { return s.admin.Health(s.ctx) })
	s.endpoint.URL, s.endpoint.BackupURL, err = s.admin.URLs(s.ctx)
	s.must(err)
	s.endpoint.CABundle, err = s.admin.CAPEM(s.ctx)
	s.must(err)
}

// openShop creates the shop's Merchant. All namespaces may use it, and its refunds need no approval.
func (s *stage) openShop() {
	certificate, err := s.admin.IssueClientCertificate(s.ctx, mchID)
	s.must(err)
	s.openNamespace(shop)
	s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "certificate"}, Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey: certificate.CertPEM, corev1.TLSPrivateKeyKey: certificate.KeyPEM,
	}})
	s.merchant = s.addMerchant(shop, shop, mchID, apiKey, func(m *v1alpha1.MerchantSpec) {
		m.AllowedNamespaces.From, m.RefundApproval = v1alpha1.NamespacesFromAll, v1alpha1.RefundApprovalAutomatic
		m.CertificateSecretRef = &v1alpha1.SecretReference{Name: "certificate"}
	})
}

// addMerchant creates a Merchant with the Secret of its key. Unless changed, it is at the simulated WeChat Pay.
func (s *stage) addMerchant(namespace, name, number, key string, change func(*v1alpha1.MerchantSpec)) *v1alpha1.Merchant {
	in := metav1.ObjectMeta{Namespace: namespace, Name: name}
	merchant := &v1alpha1.Merchant{ObjectMeta: in, Spec: v1alpha1.MerchantSpec{
		MchID: number, AppID: appID, NotifyBaseURL: "http://" + s.at.callbacks,
		APIKeySecretRef: v1alpha1.SecretKeyReference{Name: name}, Endpoint: s.endpoint.DeepCopy(),
	}}
	change(&merchant.Spec)
	s.create(&corev1.Secret{ObjectMeta: in, Data: map[string][]byte{"apiKey": []byte(key)}}, merchant)
	return merchant
}

// awaitReady waits until WeChat Pay has accepted a Merchant's key.
func (s *stage) awaitReady(merchant *v1alpha1.Merchant) {
	s.await("a Merchant to be ready", soon, func() error {
		s.must(s.cluster.Client.Get(s.ctx, client.ObjectKeyFromObject(merchant), merchant))
		if !meta.IsStatusConditionTrue(merchant.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("its conditions are %v", merchant.Status.Conditions)
		}
		return nil
	})
}

func (s *stage) openNamespace(name string) {
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

func (s *stage) create(objects ...client.Object) {
	for _, object := range objects {
		s.must(s.cluster.Client.Create(s.ctx, object))
	}
}
