package install_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }
