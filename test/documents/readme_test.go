package documents

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

// update makes the test write what it sees into the documents: UPDATE_README=1 go test ./test/documents
var update = os.Getenv("UPDATE_README") != ""

// shown is a block of a document between this comment and the end of the code after it.
var shown = regexp.MustCompile("(?s)<!-- real output -->\n```console\n(.*?)```\n")

// withOutput are the documents that show what commands print.
var withOutput = []string{"README.md", "README.zh-CN.md", "docs/conditions.md"}

// TestOutputIsTrue runs each command of the marked blocks in a shop where things stand as the documents say.
func TestOutputIsTrue(t *testing.T) {
	shop := story(t)
	run := terminal(shop)
	for _, document := range withOutput {
		checkOutput(t, filepath.Join(controlplane.Root(), document), run)
	}
}

func checkOutput(t *testing.T, path string, run func(string) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, name := 0, filepath.Base(path)
	now := shown.ReplaceAllStringFunc(string(text), func(block string) string {
		blocks++
		said := shown.FindStringSubmatch(block)[1]
		var seen []string
		for _, command := range commands(said) {
			seen = append(seen, "$ "+command+"\n"+run(command))
		}
		output := strings.Join(seen, "\n")
		if update {
			return strings.Replace(block, said, output, 1)
		}
		if got, want := normal(output), normal(said); got != want {
			t.Errorf("%s does not show what there is to see; UPDATE_README=1 go test ./test/documents writes it.\nthere is:\n%s\n%s has:\n%s\n\ncompared as:\n%s\n%s", name, output, name, said, got, want)
		}
		return block
	})
	if blocks == 0 {
		t.Errorf("%s has no block after <!-- real output -->", name)
	}
	if update {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// story is how things stand in the documents: an Order that is paid, one that waits for its payer and one that was
// called off; a Refund that is paid back, one that nobody has decided yet, and one for which the account has too little
// money.
func story(t *testing.T) *framework.Shop {
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant("shop", "Ready=True/Ready")
	shop.Paid("order-20261121-0001")
	shop.Create(shop.NewOrder("order-20261121-0002", func(o *v1alpha1.Order) {
		o.Spec.TradeType, o.Spec.ProductID, o.Spec.Amount.Total, o.Spec.Payer = v1alpha1.TradeTypeNative, "soap", 2990, nil
	}))
	shop.WaitOrder("order-20261121-0002", "Prepared=True/Prepared")
	closed := shop.NewOrder("order-20261121-0003")
	shop.Create(closed)
	shop.WaitOrder("order-20261121-0003", "Prepared=True/Prepared")
	shop.Patch(closed, `{"spec":{"desiredState":"Closed"}}`)
	shop.WaitOrder("order-20261121-0003", "Paid=False/Closed")

	approved := func(r *v1alpha1.Refund) { r.Spec.Approval, r.Spec.Reason = v1alpha1.ApprovalApproved, "质量问题" }
	shop.Create(shop.NewRefund("refund-20261121-0001", "order-20261121-0001", 50, approved))
	shop.WaitRefund("refund-20261121-0001", "Succeeded=True/Succeeded")
	shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(1))))
	shop.Create(shop.NewRefund("refund-20261121-0002", "order-20261121-0001", 30, approved))
	shop.WaitRefund("refund-20261121-0002", "Accepted=False/InsufficientBalance")
	shop.Create(shop.NewRefund("refund-20261121-0003", "order-20261121-0001", 20))
	shop.WaitRefund("refund-20261121-0003", "Approved=Unknown/AwaitingApproval")
	// The event is written a moment after the status.
	run := terminal(shop)
	shop.Eventually("the event can be seen", func() error {
		if seen := run("kubectl describe wxr refund-20261121-0002"); !strings.Contains(seen, "Warning  InsufficientBalance") {
			return fmt.Errorf("kubectl describe says: %s", seen)
		}
		return nil
	})
	return shop
}

func commands(block string) []string {
	var found []string
	for _, line := range strings.Split(block, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			found = append(found, command)
		}
	}
	return found
}

// terminal runs commands with kubectl in the shop's namespace.
func terminal(shop *framework.Shop) func(string) string {
	content, err := env.Kubeconfig("reader", "system:masters")
	shop.Must(err)
	config, err := clientcmd.Load(content)
	shop.Must(err)
	config.Contexts[config.CurrentContext].Namespace = shop.Namespace
	home := shop.T.(*testing.T).TempDir()
	shop.Must(clientcmd.WriteToFile(*config, filepath.Join(home, "config")))
	return func(command string) string {
		shell := exec.Command("bash", "-o", "pipefail", "-c", command)
		shell.Env = []string{"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "config"), "PATH=" + assets() + ":" + os.Getenv("PATH")}
		output, err := shell.CombinedOutput()
		if err != nil {
			shop.T.Fatalf("$ %s\n%s%v", command, output, err)
		}
		return tidy(strings.ReplaceAll(string(output), shop.Namespace, "shop"))
	}
}

// tidy drops what can't be seen: blanks at the ends of lines, and empty lines at the end.
func tidy(output string) string {
	var lines []string
	for _, line := range strings.Split(strings.TrimRight(output, " \n"), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n") + "\n"
}

func assets() string {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		return assets
	}
	return filepath.Join(controlplane.Root(), "bin", "k8s")
}

// what differs from one time to the next, and what it is compared as.
var volatile = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`), "DATE"},
	{regexp.MustCompile(`\b\d{18,32}\b`), "NUMBER"},
	{regexp.MustCompile(`\(x\d+ over [^)]*\)`), ""},
	{regexp.MustCompile(`\b(\d+[dhms])+\b`), "AGE"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?(---[- ]*)`), ""},
}

func normal(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.as)
	}
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

func TestNormalKeepsWhatMatters(t *testing.T) {
	if normal("a   Paid  5s\n") != normal("a Paid 1m3s") {
		t.Error("an age counts")
	}
	if normal("a Paid 5s") == normal("a Closed 5s") {
		t.Error("a state does not count")
	}
}
