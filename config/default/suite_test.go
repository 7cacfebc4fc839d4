package default_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { testenv.Main(m, &env, nil) }
