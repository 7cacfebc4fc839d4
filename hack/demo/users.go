package main

import (
	"context"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// namespace contains the shop's objects.
const namespace = "shop"

func (d *demo) kubeconfig() string { return filepath.Join(d.folder, "kubeconfig") }

// writeKubeconfig writes one kubeconfig with a context for each user, all in the shop's namespace.
func (d *demo) writeKubeconfig() error {
	merged := clientcmdapi.NewConfig()
	for user, groups := range map[string][]string{admin: {"system:masters"}, shop: nil, editor: nil, approver: nil, neighbour: nil, clerk: nil} {
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

// operatorKubeconfig writes a kubeconfig with a token of the operator's ServiceAccount, as the
// kubelet mounts it into the pod. The operator has only the permissions of config/rbac.
func (d *demo) operatorKubeconfig(ctx context.Context) (string, error) {
	config, err := d.cluster.ServiceAccount(ctx, controlplane.OperatorNamespace, controlplane.OperatorServiceAccount)
	if err != nil {
		return "", err
	}
	path := filepath.Join(d.folder, "operator.kubeconfig")
	return path, controlplane.WriteKubeconfig(path, config, controlplane.OperatorNamespace)
}
