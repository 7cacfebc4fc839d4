package main

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// namespace is where the shop's objects are.
const namespace = "shop"

func (d *demo) kubeconfig() string { return filepath.Join(d.folder, "kubeconfig") }

// writeKubeconfig writes one kubeconfig with a context for each person, all in the shop's namespace.
func (d *demo) writeKubeconfig() error {
	merged := clientcmdapi.NewConfig()
	for user, groups := range map[string][]string{admin: {"system:masters"}, shop: nil, editor: nil, approver: nil} {
		content, err := d.cluster.Kubeconfig(user, groups...)
		if err != nil {
			return err
		}
		config, err := clientcmd.Load(content)
		if err != nil {
			return err
		}
		current, found := config.Contexts[config.CurrentContext]
		if !found {
			return fmt.Errorf("the kubeconfig of %s has no current context", user)
		}
		merged.Clusters["demo"] = config.Clusters[current.Cluster]
		merged.AuthInfos[user] = config.AuthInfos[current.AuthInfo]
		merged.Contexts[user] = &clientcmdapi.Context{Cluster: "demo", AuthInfo: user, Namespace: namespace}
	}
	merged.CurrentContext = admin
	return clientcmd.WriteToFile(*merged, d.kubeconfig())
}

// The identity under which the operator runs, in a cluster as here.
const (
	operatorNamespace      = "wechatpay-operator-system"
	operatorServiceAccount = "wechatpay-operator-controller-manager"
)

// operatorKubeconfig writes a kubeconfig with a token of the operator's ServiceAccount, as a kubelet would hand it to the
// pod. The operator has the rights of config/rbac and no others.
func (d *demo) operatorKubeconfig(ctx context.Context) (string, error) {
	seconds := int64(7 * 24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorServiceAccount}}
	if err := d.cluster.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("a token for %s/%s: %w", operatorNamespace, operatorServiceAccount, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["demo"] = &clientcmdapi.Cluster{Server: d.cluster.Config.Host, CertificateAuthorityData: d.cluster.Config.CAData}
	config.AuthInfos["operator"] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	config.Contexts["operator"] = &clientcmdapi.Context{Cluster: "demo", AuthInfo: "operator", Namespace: operatorNamespace}
	config.CurrentContext = "operator"
	path := filepath.Join(d.folder, "operator.kubeconfig")
	return path, clientcmd.WriteToFile(*config, path)
}
