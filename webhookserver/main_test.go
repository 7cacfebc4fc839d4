package webhookserver_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// controlPlane is what all tests of this package run on, each in namespaces of its own. It starts with the first test that
// needs it, so that fuzzing, whose workers are processes of their own, does not start one each.
var controlPlane = sync.OnceValues(func() (*controlplane.Environment, error) {
	wasStarted = true
	return controlplane.Start()
})

// wasStarted says whether there is a control plane to be stopped.
var wasStarted bool

func environment(t testing.TB) *controlplane.Environment {
	t.Helper()
	env, err := controlPlane()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(everything.logger())
	code := m.Run()
	if wasStarted {
		env, err := controlPlane()
		if err == nil {
			err = env.Stop()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	// Whatever was tested: nobody's secrets may have got into the logs.
	for _, line := range everything.withSecrets() {
		fmt.Fprintln(os.Stderr, "a secret was logged:", line)
		code = 1
	}
	os.Exit(code)
}
