package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// openAccounts creates the namespaces with the permissions of shop and approver, and the Merchants,
// and waits until they are ready.
func openAccounts(ctx context.Context, admin client.Client, wechat *simulator.AdminClient) (map[string]*v1alpha1.Merchant, error) {
	endpoint, err := endpointOf(ctx, wechat)
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces() {
		if err := createAll(ctx, admin, openNamespace(namespace)); err != nil {
			return nil, err
		}
	}
	merchants := map[string]*v1alpha1.Merchant{}
	for _, a := range accounts {
		if merchants[a.mchID], err = openAccount(ctx, admin, wechat, a, endpoint); err != nil {
			return nil, err
		}
	}
	for _, merchant := range merchants {
		if err := await(ctx, "Merchant "+merchant.Name, func(ctx context.Context) error {
			err := admin.Get(ctx, client.ObjectKeyFromObject(merchant), merchant)
			if err == nil && !meta.IsStatusConditionTrue(merchant.Status.Conditions, v1alpha1.ConditionReady) {
				err = fmt.Errorf("not ready: %v", merchant.Status.Conditions)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return merchants, nil
}

// openAccount creates a Merchant with its Secrets.
func openAccount(ctx context.Context, admin client.Client, wechat *simulator.AdminClient, a account, endpoint *v1alpha1.Endpoint) (*v1alpha1.Merchant, error) {
	certificate, err := wechat.IssueClientCertificate(ctx, a.mchID)
	if err != nil {
		return nil, err
	}
	for _, secret := range a.secrets(certificate.CertPEM, certificate.KeyPEM) {
		if err := admin.Create(ctx, secret); err != nil {
			return nil, err
		}
	}
	merchant := a.merchant(endpoint)
	return merchant, admin.Create(ctx, merchant)
}

// openStrangers creates the Merchants of strangers without waiting for them, because they never
// become ready.
func openStrangers(ctx context.Context, admin client.Client, wechat *simulator.AdminClient) error {
	for _, s := range strangers {
		endpoint, err := endpointOf(ctx, wechat)
		if err != nil {
			return err
		}
		if s.endpoint != "" {
			endpoint.URL, endpoint.BackupURL = s.endpoint, s.endpoint
		}
		if _, err := openAccount(ctx, admin, wechat, s.account(), endpoint); err != nil {
			return err
		}
	}
	return nil
}

func endpointOf(ctx context.Context, wechat *simulator.AdminClient) (*v1alpha1.Endpoint, error) {
	primary, backup, err := wechat.URLs(ctx)
	if err != nil {
		return nil, err
	}
	authority, err := wechat.CAPEM(ctx)
	return &v1alpha1.Endpoint{URL: primary, BackupURL: backup, CABundle: authority}, err
}

func openNamespace(name string) []client.Object {
	bind := func(role, user string) client.Object {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
	}
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		bind("wechatpay-operator-shop", shopOf(name)), bind("wechatpay-operator-approver", approver),
	}
}

func createAll(ctx context.Context, admin client.Client, objects []client.Object) error {
	for _, object := range objects {
		if err := admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// rotatedKey is the first account's key after its reset.
const rotatedKey = "SoakOnlyNewKeySoakOnlyNewKey0000"

// rotateKey resets a key at WeChat Pay and writes the Secret a moment later: in between, WeChat Pay
// rejects every call.
func (s *soak) rotateKey(ctx context.Context) {
	a := accounts[0]
	err := await(ctx, "the reset of a key", func(ctx context.Context) error { return s.account.SetAPIKey(ctx, a.mchID, rotatedKey) })
	err = errors.Join(err, await(ctx, "the Secret of a key", func(ctx context.Context) error {
		secret := &corev1.Secret{}
		if err := s.clients[admin].Get(ctx, client.ObjectKey{Namespace: a.namespace, Name: a.keySecret()}, secret); err != nil {
			return err
		}
		secret.Data["apiKey"], secret.Data["apiKey.previous"] = []byte(rotatedKey), []byte(a.apiKey)
		return s.clients[admin].Update(ctx, secret)
	}))
	if err == nil {
		s.memory.count("keys rotated")
	}
}
