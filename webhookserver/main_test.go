package webhookserver_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// controlPlane is shared by all tests of this package, each with its own namespaces. The first test
// that needs it starts it, so that fuzzing workers, which are separate processes, do not.
var controlPlane = sync.OnceValues(func() (*controlplane.Environment, error) {
	wasStarted = true
	return controlplane.Start()
})

// wasStarted reports whether there is a control plane to stop.
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
	ctrl.SetLogger(allLogs.logger())
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
	// No test may have written a secret into the logs.
	for _, line := range allLogs.withSecrets() {
		fmt.Fprintln(os.Stderr, "a secret was logged:", line)
		code = 1
	}
	os.Exit(code)
}
