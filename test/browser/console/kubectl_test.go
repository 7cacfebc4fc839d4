package console

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestByKubectlProxy: the same files, served by kubectl under a prefix and with the rights of a kubeconfig, as
// docs/console.md says.
func TestByKubectlProxy(t *testing.T) {
	d := answers(t)
	const user = "li"
	for _, role := range []string{viewerRole, approverRole} {
		d.Create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: user + "-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
	kubeconfig, err := env.Kubeconfig(user)
	d.Must(err)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	d.Must(os.WriteFile(file, kubeconfig, 0o600))
	kubectl, err := controlplane.Kubectl()
	d.Must(err)
	proxy := exec.CommandContext(t.Context(), kubectl, "proxy", "--kubeconfig="+file, "--port=0", "--www-prefix=/console/",
		"--www="+filepath.Join(controlplane.Root(), "internal", "console", "dist"))
	output, err := proxy.StdoutPipe()
	d.Must(err)
	d.Must(proxy.Start())
	t.Cleanup(func() { _ = proxy.Wait() })
	line, err := bufio.NewReader(output).ReadString('\n')
	d.Must(err)
	_, address, _ := strings.Cut(strings.TrimSpace(line), "serve on ")

	p := chromium.Open(t, desktop)
	p.Do(chromedp.Navigate("http://" + address + "/console/#/" + d.Namespace + "/refunds"))
	p.Await(mayApprove)
	p.Await(live)
	click(p, card+" button.approve")
	click(p, "#confirm")
	p.Await(decided)
	if managers := d.Refund("refund-0001").ManagedFields; managers[len(managers)-1].Manager != "wechatpay-console" && managers[0].Manager != "wechatpay-console" {
		t.Errorf("decided by the field managers %v", managers)
	}
}
