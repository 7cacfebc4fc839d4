package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

// kubectl runs kubectl with the plugin and its completion in PATH.
type kubectl struct {
	binary, path, kubeconfig string
}

func install(t *testing.T) kubectl {
	t.Helper()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", "-X main.version=v1.2.3", "-o",
		filepath.Join(folder, "kubectl-wechatpay"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script, err := os.ReadFile("kubectl_complete-wechatpay")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kubectl_complete-wechatpay"), script, 0o700); err != nil {
		t.Fatal(err)
	}
	binary, err := controlplane.Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	config, err := env.Kubeconfig("root", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return kubectl{binary, folder + string(os.PathListSeparator) + filepath.Dir(binary) + string(os.PathListSeparator) +
		os.Getenv("PATH"), kubeconfig}
}

// run returns the exit code and the output.
func (k kubectl) run(t *testing.T, input string, args ...string) (int, string, string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), k.binary, args...)
	command.Env = append(os.Environ(), "PATH="+k.path, "KUBECONFIG="+k.kubeconfig, "LC_ALL=C", "HOME="+t.TempDir())
	command.Stdin = strings.NewReader(input)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), out.String(), errOut.String()
	case err != nil:
		t.Fatal(err)
	}
	return 0, out.String(), errOut.String()
}

// TestAsAPluginOfKubectl: kubectl finds the command, passes on arguments, input, output and exit codes, and completes.
func TestAsAPluginOfKubectl(t *testing.T) {
	k := install(t)
	if err := env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}); err != nil {
		t.Fatal(err)
	}
	refund := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "refund-0001"},
		Spec: v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 20}}
	if err := env.Client.Create(t.Context(), refund); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		input string
		args  []string
		code  int
		words string
	}{
		{"", []string{"plugin", "list"}, 0, "kubectl-wechatpay"},
		{"", []string{"wechatpay", "version"}, 0, "kubectl-wechatpay v1.2.3"},
		{"", []string{"wechatpay", "--help"}, 0, "kubectl wechatpay [command]"},
		{"", []string{"wechatpay", "approve"}, 2, "Name the Refunds"},
		{"", []string{"wechatpay", "approve", "refund-0001", "-n", "shop", "--context", "nowhere"}, 1, "nowhere"},
		{"n\n", []string{"wechatpay", "approve", "refund-0001", "-n", "shop"}, 4, "Nothing was changed"},
		{"", []string{"__complete", "wechatpay", "app"}, 0, "approve"},
		{"", []string{"__complete", "wechatpay", "approve", "-n", "shop", "ref"}, 0, "refund-0001"},
		{"y\n", []string{"wechatpay", "approve", "refund-0001", "-n", "shop", "-m", "a hole in it"}, 0, "Approved refund-0001"},
		{"", []string{"wechatpay", "deny", "refund-0001", "-n", "shop", "-m", "no", "-y"}, 6, "final"},
		{"", []string{"wechatpay", "completion", "bash"}, 0, "kubectl-wechatpay"},
	} {
		code, out, errOut := k.run(t, c.input, c.args...)
		if code != c.code || !strings.Contains(out+errOut, c.words) {
			t.Errorf("kubectl %q: exit code %d, want %d and %q\n%s%s", c.args, code, c.code, c.words, out, errOut)
		}
	}
}
