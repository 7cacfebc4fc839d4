package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

// program is the operator as a process, with the timing of production.
type program struct {
	command *exec.Cmd
	output  *output
	// notify and health are where it serves.
	notify, health string
	ended          chan error
}

// build builds the operator.
func build(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "manager")
	if built, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the operator: %v\n%s", err, built)
	}
	return binary
}

// startProgram builds and starts the operator, and waits until it takes callbacks.
func startProgram(t *testing.T, shop *framework.Shop) *program {
	t.Helper()
	config, err := env.Kubeconfig("operator-of-"+shop.Namespace, "system:masters")
	shop.Must(err)
	p := start(t, build(t), config, shop.Namespace)
	p.becomesReady(shop)
	return p
}

// start starts the operator with a kubeconfig.
func start(t *testing.T, binary string, config []byte, leaseNamespace string) *program {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &program{notify: freeAddress(t), health: freeAddress(t), output: &output{}, ended: make(chan error, 1)}
	p.command = exec.Command(binary, "--kubeconfig="+kubeconfig, "--leader-elect", "--leader-election-namespace="+leaseNamespace,
		"--notify-bind-address="+p.notify, "--notify-base-url=http://"+p.notify, "--endpoint-hosts="+framework.WeChatHost,
		"--metrics-bind-address=0", "--health-probe-bind-address="+p.health)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.command.Wait() }()
	t.Cleanup(func() { _ = p.command.Process.Kill() }) // for a test that failed; else it has ended
	return p
}

// probe asks as the kubelet does; no error is a yes.
func (p *program) probe(t testing.TB, path string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.health+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// output is what a program wrote so far.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // it is for the operator
	return listener.Addr().String()
}

// terminate sends SIGTERM, as the kubelet does, and waits as long as the kubelet would for the program to end by itself.
func (p *program) terminate(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	grace, cancel := context.WithTimeout(t.Context(), gracePeriod(t))
	defer cancel()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the operator ended with %v:\n%s", err, p.output)
		}
	case <-grace.Done():
		t.Errorf("the operator did not end within terminationGracePeriodSeconds (%s)", gracePeriod(t))
	}
}

// gracePeriod is the Deployment's terminationGracePeriodSeconds.
func gracePeriod(t *testing.T) time.Duration {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("config", "manager", "manager.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(content, &deployment); err != nil {
		t.Fatal(err)
	}
	return time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
}

// openShop has a paid Order, and a Refund that is approved when it comes.
//
// The operator sees all namespaces, so each test has numbers of its own.
func openShop(t *testing.T, order string) (*framework.Shop, *program) {
	t.Helper()
	shop := framework.Open(t, env, framework.WithoutOperator())
	p := startProgram(t, shop)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.RefundApproval = v1alpha1.RefundApprovalAutomatic }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready") // it leads
	// Refunds of Orders that are older than a leader wait for a minute, and times have whole seconds.
	led := time.Now().Unix()
	shop.Eventually("the second is over", func() error {
		if time.Now().Unix() <= led+1 {
			return errors.New("not yet")
		}
		return nil
	})
	shop.Paid(order)
	return shop, p
}

func under(shop *framework.Shop, what simulator.Operation) func() error {
	return func() error {
		for _, fault := range shop.WeChat.Faults() {
			if fault.Operation == what && fault.Struck > 0 {
				return nil
			}
		}
		return fmt.Errorf("no %s yet", what)
	}
}

func TestProcessThatIsTerminatedDuringARefundStoresTheAnswer(t *testing.T) {
	shop, p := openShop(t, "order-0001")
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDelay, DelayMillis: 3000, Count: 1})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.Eventually("the request is under way", under(shop, simulator.OperationRefund))
	p.terminate(t)
	refund := shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
	if there := shop.WeChat.Ledger().Refund(framework.MchID, "refund-0001"); there == nil || there.RefundID != refund.Status.RefundID {
		t.Errorf("WeChat has %+v, the Refund %q", there, refund.Status.RefundID)
	}
	lease := &coordinationv1.Lease{}
	shop.Must(shop.Client.Get(shop.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "wechatpay-operator"}, lease))
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		t.Errorf("%s still holds the Lease, and nobody else can lead until it runs out", *holder)
	}
	shop.NoViolations()
}

func TestProcessThatIsTerminatedDuringACallbackAnswersIt(t *testing.T) {
	shop, p := openShop(t, "order-0002")
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultDelay, DelayMillis: 1500, Count: 1})
	shop.Create(shop.NewRefund("refund-0002", "order-0002", 101))
	shop.Eventually("the callback asks for the refund", under(shop, simulator.OperationRefundQuery))
	p.terminate(t)
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
	shop.Eventually("WeChat has the answer", func() error {
		for _, callback := range shop.WeChat.Ledger().CallbacksOf(simulator.OperationRefundCallback, "") {
			if callback.State == simulator.CallbackDelivered {
				return nil
			}
		}
		return errors.New("not delivered")
	})
}
