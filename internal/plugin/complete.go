package plugin

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// lister names what can come next on a command line, given what stands there.
type lister func(ctx context.Context, args []string) ([]string, error)

// complete makes a lister a completion of cobra. What cannot be listed is not offered, and no error disturbs the command line.
func (p *plugin) complete(list lister) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if p.connect() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := list(command.Context(), args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			return !strings.HasPrefix(name, typed) || slices.Contains(args,
				name)
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// undecided are the Refunds that nobody has decided on, each with its amount.
func (p *plugin) undecided(ctx context.Context, _ []string) ([]string, error) {
	var refunds v1alpha1.RefundList
	err := p.client.List(ctx, &refunds, client.InNamespace(p.namespace), client.MatchingFields{"spec.approval": ""})
	var names []string
	for _, refund := range refunds.Items {
		names = append(names, refund.Name)
	}
	return names, err
}

// orders are the names of Orders, one of them only.
func (p *plugin) orders(ctx context.Context, args []string) ([]string, error) {
	if len(args) > 0 && args[len(args)-1] != "order" {
		return nil, nil
	}
	var orders v1alpha1.OrderList
	err := p.client.List(ctx, &orders, client.InNamespace(p.namespace))
	var names []string
	for _, order := range orders.Items {
		names = append(names, order.Name)
	}
	return names, err
}

func (p *plugin) merchants(ctx context.Context, args []string) ([]string, error) {
	if len(args) > 0 {
		return nil, nil
	}
	var merchants v1alpha1.MerchantList
	err := p.client.List(ctx, &merchants, client.InNamespace(p.namespace))
	var names []string
	for _, merchant := range merchants.Items {
		names = append(names, merchant.Name)
	}
	return names, err
}

// completeFlag lists what --namespace and --context can be.
func (p *plugin) completeFlag(flag string) lister {
	return func(ctx context.Context, _ []string) ([]string, error) {
		var names []string
		if flag == "context" {
			config, err := p.flags.ToRawKubeConfigLoader().RawConfig()
			for name := range config.Contexts {
				names = append(names, text.Clean(name))
			}
			slices.Sort(names)
			return names, err
		}
		var namespaces corev1.NamespaceList
		err := p.client.List(ctx, &namespaces)
		for _, namespace := range namespaces.Items {
			names = append(names, namespace.Name)
		}
		return names, err
	}
}
