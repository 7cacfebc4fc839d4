package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// The one merchant of a stage. The key is for the simulator only.
const (
	shopNamespace = "shop"
	merchantName  = "shop"
	mchID         = "1900000109"
	appID         = "wxd678efh567hg6787"
	apiKey        = "BenchOnlyKey0BenchOnlyKey0Bench0"
	openID        = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// patience is how long anything may take that is not measured.
const patience = 2 * time.Minute

// stage is a control plane with an installation, a simulated WeChat Pay, and a shop that is an operator short.
type stage struct {
	settings settings
	folder   string
	cluster  *controlplane.Environment
	// identity is the operator's, with the rights of its ServiceAccount.
	identity *rest.Config
	wechat   *process.Process
	admin    *simulator.AdminClient
	// addresses that each operator of the stage serves at, unless there are two.
	addresses
	operators int
}

// scene says what a stage is to be like.
type scene struct {
	// finalizerAtCreation adds the component that spares the operator a write.
	finalizerAtCreation bool
	// payAfter has payers pay by themselves.
	payAfter time.Duration
	// open are the out_trade_nos of orders that WeChat has from the beginning, and nobody pays.
	open []string
	// cluster changes the control plane.
	cluster []controlplane.Option
}

// open builds a stage. Whoever gets it closes it, even if there is an error with it.
func open(ctx context.Context, o settings, is scene) (s *stage, err error) {
	s = &stage{settings: o}
	if s.folder, err = os.MkdirTemp("", "wechatpay-bench-"); err != nil {
		return s, err
	}
	if s.addresses, err = freeAddresses(); err != nil {
		return s, err
	}
	if s.cluster, err = controlplane.Start(is.cluster...); err != nil {
		return s, err
	}
	if err := s.install(ctx, is); err != nil {
		return s, err
	}
	if err := s.startWeChat(ctx, is); err != nil {
		return s, err
	}
	if err := s.openShop(ctx); err != nil {
		return s, err
	}
	return s, s.awaitPolicies(ctx, is)
}

// install applies what a cluster gets, but for the Deployment's pods: there is no kubelet.
func (s *stage) install(ctx context.Context, is scene) error {
	objects, err := controlplane.Kustomize(ctx, "config/default")
	if err != nil {
		return err
	}
	if err := s.cluster.ServerSideApply(ctx, objects...); err != nil {
		return err
	}
	if is.finalizerAtCreation {
		if err := s.cluster.Apply(ctx, "config/components/finalizer-at-creation/*.yaml"); err != nil {
			return err
		}
	}
	s.identity, err = s.cluster.ServiceAccount(ctx, controlplane.OperatorNamespace, controlplane.OperatorServiceAccount)
	return err
}

// awaitPolicies waits until the API server has got around to the policies, and to the new kinds, which these need to know.
func (s *stage) awaitPolicies(ctx context.Context, is scene) error {
	return await(ctx, "Orders to be taken", func(ctx context.Context) error {
		order := newOrder(shopNamespace, "dry-run")
		if err := s.cluster.Client.Create(ctx, order, client.DryRunAll); err != nil {
			return err
		}
		if is.finalizerAtCreation && len(order.Finalizers) == 0 {
			return errors.New("the finalizer is not added yet")
		}
		return nil
	})
}

func (s *stage) startWeChat(ctx context.Context, is scene) error {
	address, err := process.FreeAddress()
	if err != nil {
		return err
	}
	arguments := []string{
		"--admin-listen=" + address, "--merchant=" + mchID + ":" + appID + ":" + apiKey, "--merchant=" + strangerMchID + ":" + appID + ":" + strangerKey, "--pay-after=" + is.payAfter.String(),
		"--refund-delay=100ms", "--log-level=warn",
	}
	if len(is.open) > 0 {
		state := filepath.Join(s.folder, "wechat.jsonl")
		if err := writeOpenOrders(state, is.open); err != nil {
			return err
		}
		arguments = append(arguments, "--state="+state)
	}
	s.wechat, err = process.Start("simulator", filepath.Join(s.folder, "wechat.log"), s.settings.wechat, arguments, func(*process.Process) {})
	if err != nil {
		return err
	}
	s.admin = simulator.NewAdminClient("http://" + address)
	return await(ctx, "the simulated WeChat Pay", s.admin.Health)
}

// openShop creates the Merchant with its Secrets.
func (s *stage) openShop(ctx context.Context) error {
	primary, backup, err := s.admin.URLs(ctx)
	if err != nil {
		return err
	}
	authority, err := s.admin.CAPEM(ctx)
	if err != nil {
		return err
	}
	certificate, err := s.admin.IssueClientCertificate(ctx, mchID)
	if err != nil {
		return err
	}
	in := metav1.ObjectMeta{Namespace: shopNamespace}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shopNamespace}},
		&corev1.Secret{ObjectMeta: named(in, "key"), Data: map[string][]byte{"apiKey": []byte(apiKey)}},
		&corev1.Secret{ObjectMeta: named(in, "certificate"), Type: corev1.SecretTypeTLS, Data: map[string][]byte{
			corev1.TLSCertKey: certificate.CertPEM, corev1.TLSPrivateKeyKey: certificate.KeyPEM,
		}},
		&v1alpha1.Merchant{ObjectMeta: named(in, merchantName), Spec: v1alpha1.MerchantSpec{
			MchID: mchID, AppID: appID, AllowedNamespaces: v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}, NotifyBaseURL: "http://" + s.callbacks, RefundApproval: v1alpha1.RefundApprovalAutomatic,
			APIKeySecretRef:      v1alpha1.SecretKeyReference{Name: "key"},
			CertificateSecretRef: &v1alpha1.SecretReference{Name: "certificate"},
			Endpoint:             &v1alpha1.Endpoint{URL: primary, BackupURL: backup, CABundle: authority},
		}},
	} {
		if err := s.cluster.Client.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// awaitMerchant waits until the operator took the Merchant's key.
func (s *stage) awaitMerchant(ctx context.Context) error {
	return await(ctx, "the Merchant to be ready", func(ctx context.Context) error {
		merchant := &v1alpha1.Merchant{}
		if err := s.cluster.Client.Get(ctx, client.ObjectKey{Namespace: shopNamespace, Name: merchantName}, merchant); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(merchant.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("its conditions are %v", merchant.Status.Conditions)
		}
		return nil
	})
}

func named(in metav1.ObjectMeta, name string) metav1.ObjectMeta {
	in.Name = name
	return in
}

func (s *stage) close() error {
	var errs []error
	if s.wechat != nil {
		errs = append(errs, s.wechat.Stop())
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}

// await asks until there is no error.
func await(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
