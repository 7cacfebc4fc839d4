package manager_test

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

func parse(arguments ...string) (manager.Options, error) {
	options := manager.DefaultOptions()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	options.BindFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		return options, err
	}
	return options, options.Validate()
}

func TestFlags(t *testing.T) {
	for _, test := range []struct{ arguments, complaint string }{
		{"", ""},
		{"--leader-elect --notify-bind-address=0", ""},
		{"--controllers=false", ""},
		{"--controllers=false --notify-bind-address=0", "--controllers=false and --notify-bind-address=0"},
		{"--controllers=false --leader-elect", "--leader-elect"},
		{"--watch-namespaces=shop,another-shop", ""},
		{"--watch-namespaces=", ""},
		{"--watch-namespaces=Shop", `"Shop" is not a valid namespace name`},
		{"--watch-namespaces=$(POD_NAMESPACE)", "is not a valid namespace name"},
	} {
		_, err := parse(strings.Fields(test.arguments)...)
		if (err == nil) != (test.complaint == "") || err != nil && !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("%q: %v", test.arguments, err)
		}
	}
	options, err := parse("--watch-namespaces=shop,,another-shop")
	if err != nil || !slices.Equal(options.Namespaces, []string{"shop", "another-shop"}) {
		t.Errorf("%v, %v", options.Namespaces, err)
	}
}

// leaseRelease is the longest time to release the Lease after the shutdown: controller-runtime's
// default RenewDeadline.
const leaseRelease = 10 * time.Second

// TestGracePeriod: the kubelet must wait for the pause before the shutdown, the shutdown itself and
// the release of the Lease. A process killed before it has stored a result leaves an unknown
// outcome.
func TestGracePeriod(t *testing.T) {
	for _, file := range []string{"manager/manager.yaml", "overlays/separate-callbacks/deployment.yaml"} {
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", file))
		if err != nil {
			t.Fatal(err)
		}
		var deployment appsv1.Deployment
		if err := yaml.UnmarshalStrict(content, &deployment); err != nil {
			t.Fatal(err)
		}
		pod := deployment.Spec.Template.Spec
		needed := manager.GracefulShutdown + leaseRelease + time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds)*time.Second
		if given := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; given <= needed {
			t.Errorf("%s: terminationGracePeriodSeconds gives %s, stopping takes up to %s", file, given, needed)
		}
	}
}
