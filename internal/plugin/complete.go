package plugin

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// lister returns what can follow on a command line, given its arguments so far.
type lister func(ctx context.Context, args []string) ([]string, error)

// complete makes a completion of cobra from a lister. If objects can't be listed, nothing is offered and no error is
// printed.
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

// names lists the names of objects.
func (p *plugin) names(ctx context.Context, list client.ObjectList, options ...client.ListOption) ([]string, error) {
	if err := p.client.List(ctx, list, options...); err != nil {
		return nil, err
	}
	var names []string
	err := meta.EachListItem(list, func(object runtime.Object) error {
		names = append(names, object.(client.Object).GetName())
		return nil
	})
	return names, err
}

// undecided lists the Refunds that await a decision.
func (p *plugin) undecided(ctx context.Context, _ []string) ([]string, error) {
	return p.names(ctx, &v1alpha1.RefundList{}, client.InNamespace(p.namespace), client.MatchingFields{"spec.approval": ""})
}

// orders lists the names of Orders, for a single argument.
func (p *plugin) orders(ctx context.Context, args []string) ([]string, error) {
	if len(args) > 0 && args[len(args)-1] != "order" {
		return nil, nil
	}
	return p.names(ctx, &v1alpha1.OrderList{}, client.InNamespace(p.namespace))
}

func (p *plugin) merchants(ctx context.Context, args []string) ([]string, error) {
	if len(args) > 0 {
		return nil, nil
	}
	return p.names(ctx, &v1alpha1.MerchantList{}, client.InNamespace(p.namespace))
}

// namespaces and contexts list the values of --namespace and --context.
func (p *plugin) namespaces(ctx context.Context, _ []string) ([]string, error) {
	return p.names(ctx, &corev1.NamespaceList{})
}

func (p *plugin) contexts(context.Context, []string) ([]string, error) {
	config, err := p.flags.ToRawKubeConfigLoader().RawConfig()
	var names []string
	for name := range config.Contexts {
		names = append(names, text.Clean(name))
	}
	slices.Sort(names)
	return names, err
}
