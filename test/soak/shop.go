package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
)

// openAccounts creates the namespaces with the permissions of shop and approver, and the Merchants,
// and waits until they are ready.
func openAccounts(ctx context.Context, admin client.Client, wechat *simulator.AdminClient) (map[client.ObjectKey]*v1alpha1.Merchant, error) {
	endpoint, err := endpointOf(ctx, wechat)
	if err != nil {
		return nil, err
	}
	publicKeys, err := publicKeysOf(ctx, wechat)
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces() {
		if err := createAll(ctx, admin, openNamespace(namespace)); err != nil {
			return nil, err
		}
	}
	merchants := map[client.ObjectKey]*v1alpha1.Merchant{}
	for _, a := range accounts {
		certificate, err := wechat.IssueClientCertificate(ctx, a.mchID)
		if err != nil {
			return nil, err
		}
		merchants[a.key()] = a.merchant(endpoint, publicKeys)
		if err := openAccount(ctx, admin, a, certificate, merchants[a.key()]); err != nil {
			return nil, err
		}
	}
	for _, merchant := range merchants {
		if err := awaitReady(ctx, admin, "Merchant "+merchant.Name, merchant); err != nil {
			return nil, err
		}
	}
	return merchants, nil
}

// awaitReady waits until an object is ready.
func awaitReady(ctx context.Context, admin client.Client, what string, object client.Object) error {
	return await(ctx, what, func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		if err == nil && !meta.IsStatusConditionTrue(conditions.Of(object), v1alpha1.ConditionReady) {
			err = errors.New("not ready:" + conditions.Describe(conditions.Of(object)))
		}
		return err
	})
}

// openAccount creates a Merchant with its Secrets.
func openAccount(ctx context.Context, admin client.Client, a account, certificate simulator.ClientCertificate, merchant *v1alpha1.Merchant) error {
	for _, secret := range a.secrets(certificate.CertPEM, certificate.KeyPEM) {
		if err := admin.Create(ctx, secret); err != nil {
			return err
		}
	}
	return admin.Create(ctx, merchant)
}

// openStrangers creates the Merchants of strangers without waiting for them, because they never
// become ready.
func openStrangers(ctx context.Context, admin client.Client, wechat *simulator.AdminClient) error {
	publicKeys, err := publicKeysOf(ctx, wechat)
	if err != nil {
		return err
	}
	for _, s := range strangers {
		endpoint, err := endpointOf(ctx, wechat)
		if err != nil {
			return err
		}
		if s.endpoint != "" {
			endpoint.URL, endpoint.BackupURL = s.endpoint, s.endpoint
		}
		certificate, err := selfSigned(s.of.mchID)
		if err != nil {
			return err
		}
		if err := openAccount(ctx, admin, s.account(), certificate, s.account().merchant(endpoint, publicKeys)); err != nil {
			return err
		}
	}
	return nil
}

// selfSigned makes a certificate that names a merchant number and that WeChat Pay did not issue.
func selfSigned(mchID string) (simulator.ClientCertificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return simulator.ClientCertificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: mchID},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return simulator.ClientCertificate{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return simulator.ClientCertificate{
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, err
}

// publicKeysOf returns WeChat Pay's public key, for spec.publicKeys.
func publicKeysOf(ctx context.Context, wechat *simulator.AdminClient) ([]v1alpha1.PublicKey, error) {
	platform, err := wechat.Platform(ctx)
	return []v1alpha1.PublicKey{{ID: platform.PublicKeyID, PEM: platform.PublicKeyPEM}}, err
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

// openMiniPrograms creates the mini programs in which the payers pay, and one of a stranger, who
// knows an appid and lends it to everybody.
func openMiniPrograms(ctx context.Context, admin client.Client, wechat *weChat) error {
	url, err := wechat.weixin.URL(ctx)
	if err != nil {
		return err
	}
	authority, err := wechat.pay.CAPEM(ctx)
	if err != nil {
		return err
	}
	endpoint := &v1alpha1.WeixinEndpoint{URL: url, CABundle: authority}
	strangers := accounts[0]
	strangers.namespace = strangerNamespace
	lent := strangers.miniProgram(endpoint)
	lent.Spec.AllowedNamespaces = v1alpha1.MiniProgramNamespaces{From: v1alpha1.NamespacesFromAll}
	opened := []*v1alpha1.MiniProgram{lent}
	for _, a := range accounts {
		opened = append(opened, a.miniProgram(endpoint))
	}
	for _, m := range opened {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: m.Namespace, Name: m.Spec.AppSecretRef.Name},
			Data:       map[string][]byte{"appSecret": []byte(appSecretOf(m.Spec.AppID))},
		}
		if err := createAll(ctx, admin, []client.Object{secret, m}); err != nil {
			return err
		}
	}
	for _, m := range opened {
		if err := awaitReady(ctx, admin, "MiniProgram "+m.Namespace+"/"+m.Name, m); err != nil {
			return err
		}
	}
	return nil
}
