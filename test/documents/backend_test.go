package documents

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```\n")

// TestQuotedBackendIsTheExample: the Go code that the READMEs quote stands in examples/backend, line for line.
func TestQuotedBackendIsTheExample(t *testing.T) {
	program, err := os.ReadFile(filepath.Join(controlplane.Root(), "examples", "backend", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join(controlplane.Root(), document))
		if err != nil {
			t.Fatal(err)
		}
		quotes := goBlock.FindAllStringSubmatch(string(text), -1)
		if len(quotes) == 0 {
			t.Errorf("%s quotes no Go code", document)
		}
		for _, quote := range quotes {
			if !strings.Contains(string(program), "\n"+quote[1]) {
				t.Errorf("%s quotes what is not in examples/backend/main.go:\n%s", document, quote[1])
			}
		}
	}
}

// TestBackendIsPaid runs examples/backend with the rights of the role wechatpay-operator-shop, twice, as after a crash.
func TestBackendIsPaid(t *testing.T) {
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant("shop", "Ready=True/Ready")
	program := filepath.Join(t.TempDir(), "backend")
	build := exec.Command("go", "build", "-o", program, "./examples/backend")
	build.Dir = controlplane.Root()
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	kubeconfig := backendRights(t, shop)
	start := func() (*bufio.Reader, func() error) {
		backend := exec.Command(program, "-namespace", shop.Namespace, "-openid", framework.OpenID, "order-20261121-0009")
		backend.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		backend.Stderr = os.Stderr
		output, err := backend.StdoutPipe()
		shop.Must(err)
		shop.Must(backend.Start())
		t.Cleanup(func() { _ = backend.Process.Kill() })
		return bufio.NewReader(output), backend.Wait
	}

	output, wait := start()
	line, err := output.ReadBytes('\n')
	shop.Must(err)
	var parameters v1alpha1.JSAPIParameters
	if err := json.Unmarshal(line, &parameters); err != nil || parameters.AppID != framework.AppID || parameters.PaySign == "" {
		t.Fatalf("the backend printed %s (%v)", line, err)
	}
	payment, err := shop.WeChat.Pay(framework.MchID, "order-20261121-0009", simulator.PayOptions{})
	shop.Must(err)
	expectPaid := func(output io.Reader, wait func() error) {
		rest, err := io.ReadAll(output)
		shop.Must(err)
		if want := "paid by transaction " + payment.TransactionID + "\n"; string(rest) != want {
			t.Errorf("the backend printed %q, not %q", rest, want)
		}
		shop.Must(wait())
	}
	expectPaid(output, wait)

	again, wait := start()
	expectPaid(again, wait)
	if orders := shop.WeChat.Ledger().Orders; len(orders) != 1 || orders[0].UnifiedOrderCalls != 1 {
		t.Errorf("the ledger has %d orders: %+v", len(orders), orders)
	}
}

// backendRights binds a shop's role to a user, and returns the file of their kubeconfig.
func backendRights(t *testing.T, shop *framework.Shop) string {
	shop.OperatorConfig() // with it come the roles
	shop.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "backend"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-shop"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "backend"}},
	})
	content, err := env.Kubeconfig("backend")
	shop.Must(err)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	shop.Must(os.WriteFile(file, content, 0o600))
	return file
}
