package merchant_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/testenv"
)

// env is the control plane that all tests of this package run on, each in a namespace of its own.
var env *testenv.Environment

func TestMain(m *testing.M) {
	var err error
	if env, err = testenv.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
