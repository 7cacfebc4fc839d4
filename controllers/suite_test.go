package controllers_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// env is the control plane that all tests of this package share. Each test has its own namespaces.
var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }
