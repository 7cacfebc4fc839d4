package controlplane

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The identity under which config/default runs the operator.
const (
	OperatorNamespace      = "wechatpay-operator-system"
	OperatorServiceAccount = "wechatpay-operator-controller-manager"
)

// tokenSeconds is a week, because nothing renews tokens here as a kubelet does.
const tokenSeconds = 7 * 24 * 60 * 60

// ServiceAccountToken returns a token of an existing ServiceAccount, as its pods get.
func ServiceAccountToken(ctx context.Context, admin client.Client, namespace, name string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenSeconds))}}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return request.Status.Token, nil
}

// ServiceAccount returns the configuration of an existing ServiceAccount, with only the permissions
// that RBAC grants.
func (e *Environment) ServiceAccount(ctx context.Context, namespace, name string) (*rest.Config, error) {
	token, err := ServiceAccountToken(ctx, e.Client, namespace, name)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(e.Config)
	config.BearerToken, config.QPS = token, -1
	return config, nil
}

// Operator returns the configuration of the operator as config/default installs it, with the roles
// of config/rbac. The first call installs the roles.
func (e *Environment) Operator(ctx context.Context) (*rest.Config, error) {
	e.operatorOnce.Do(func() { e.operator, e.operatorErr = e.installOperator(ctx) })
	return e.operator, e.operatorErr
}

func (e *Environment) installOperator(ctx context.Context) (*rest.Config, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: OperatorNamespace}}
	if err := e.Client.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	if err := e.Apply(ctx, "config/rbac/*.yaml"); err != nil {
		return nil, err
	}
	return e.ServiceAccount(ctx, OperatorNamespace, OperatorServiceAccount)
}

// WriteKubeconfig writes a kubeconfig file for a configuration with a token.
func WriteKubeconfig(file string, config *rest.Config, namespace string) error {
	const cluster, user, current = "cluster", "user", "current"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[cluster] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	kubeconfig.Contexts[current] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: user, Namespace: namespace}
	kubeconfig.CurrentContext = current
	return clientcmd.WriteToFile(*kubeconfig, file)
}
