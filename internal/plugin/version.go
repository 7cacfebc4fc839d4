package plugin

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func (p *plugin) version() *cobra.Command {
	command := &cobra.Command{
		Use:   "version",
		Short: p.text("Print the version of the plugin"),
		Args:  p.exactly(0),
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if !p.machine() {
				fmt.Fprintf(p.Streams.Out, "kubectl-wechatpay %s (%s, %s, %s)\n", orNone(p.Version), v1alpha1.GroupVersion,
					runtime.Version(), platform)
				return nil
			}
			return p.print(report("Version", map[string]any{
				"version": p.Version, "api": v1alpha1.GroupVersion.String(), "go": runtime.Version(), "platform": platform}))
		},
	}
	p.outputFlag(command)
	return command
}

// report is the output of -o json and yaml that is not an object of the cluster.
func report(kind string, content map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind(kind))
	object.SetAPIVersion("kubectl.wechatpay-operator.io/v1alpha1")
	return object
}
