package merchant_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/testenv"
)

// env is the control plane that all tests of this package run on, each in a namespace of its own.
var env *testenv.Environment

func TestMain(m *testing.M) { testenv.Main(m, &env, nil) }
