package plugin_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// roles are the roles that are shipped for people, by the user that has each.
var roles = map[string]string{"viewer": "viewer", "shop": "shop", "approver": "approver", "admin": "merchant-admin"}

var (
	env     *controlplane.Environment
	folder  string
	update  = flag.Bool("update", false, "write testdata anew")
	paidAt  = metav1.NewTime(time.Date(2025, 11, 21, 8, 0, 1, 0, time.UTC))
	noClock = regexp.MustCompile(`20(?:2[6-9]|[3-9]\d)-\d\d-\d\d \d\d:\d\d:\d\d \+0000`)
)

func TestMain(m *testing.M) {
	flag.Parse()
	controlplane.Main(m, &env, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		return prepare(ctx)
	})
}

// prepare binds each role to its user in every namespace; root has all rights, and nobody has none. The policies of an
// installation are in force.
func prepare(ctx context.Context) error {
	var err error
	if folder, err = os.MkdirTemp("", "kubectl-wechatpay-"); err != nil {
		return err
	}
	if err := env.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: controlplane.OperatorNamespace}}); err != nil {
		return err
	}
	if err := env.Apply(ctx, "config/rbac/*_role.yaml", "config/policy/*.yaml"); err != nil {
		return err
	}
	for user, role := range roles {
		if err := env.Client.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-" + role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		}); err != nil {
			return err
		}
	}
	for user, groups := range map[string][]string{"viewer": nil, "shop": nil, "approver": nil, "admin": nil, "nobody": nil, "root": {"system:masters"}} {
		kubeconfig, err := env.Kubeconfig(user, groups...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(kubeconfigOf(user), kubeconfig, 0o600); err != nil {
			return err
		}
	}
	return awaitPolicies(ctx)
}

func kubeconfigOf(user string) string { return filepath.Join(folder, user) }

// awaitPolicies waits: the API server knows roles and policies a moment after they are written.
func awaitPolicies(ctx context.Context) error {
	shop, err := env.User("shop")
	if err != nil {
		return err
	}
	as, err := client.New(shop, client.Options{Scheme: controlplane.Scheme()})
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := as.Create(ctx, newRefund("default", "probe-0001", func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalApproved }), client.DryRunAll)
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "wechatpay-operator-refund-approval"), nil
	})
}

// call is one execution of the command.
type call struct {
	user, input, locale string
	now                 time.Time
	version             string
}

// result is the result of a call.
type result struct {
	code     int
	out, err string
}

// run executes the command in a namespace, in English unless the locale says otherwise.
func (c call) run(t *testing.T, namespace string, args ...string) result {
	t.Helper()
	return c.runWith(t, strings.NewReader(c.input), namespace, args...)
}

func (c call) runWith(t *testing.T, in interface{ Read([]byte) (int, error) }, namespace string, args ...string) result {
	t.Helper()
	return c.runUntil(t.Context(), in, namespace, args...)
}

// runUntil executes it until its context ends.
func (c call) runUntil(ctx context.Context, in interface{ Read([]byte) (int, error) }, namespace string, args ...string) result {
	var out, errOut bytes.Buffer
	now := time.Now
	if !c.now.IsZero() {
		now = func() time.Time { return c.now }
	}
	code := plugin.Run(ctx, append(args, "--kubeconfig", kubeconfigOf(c.user), "--namespace", namespace), plugin.Env{
		Streams: genericiooptions.IOStreams{In: in, Out: &out, ErrOut: &errOut},
		Getenv: func(name string) string {
			return map[string]string{"LANG": c.locale}[name]
		},
		Now: now, Location: time.UTC, Version: c.version,
	})
	return result{code, out.String(), errOut.String()}
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n--- stdout\n%s--- stderr\n%s", r.code, r.out, r.err)
}

// expect fails unless the exit code is right and all words are in the output.
func (r result) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d:\n%s", r.code, code, r)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.err, w) {
			t.Errorf("%q is not in:\n%s", w, r)
		}
	}
}

// golden compares the output with testdata, after replacing times that do not come from the test's objects.
func (r result) golden(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	got := noClock.ReplaceAllString(r.String(), "<now>")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./internal/plugin -update writes it anew):\n%s", file, got)
	}
}

func namespaceFor(t *testing.T, name string) string {
	t.Helper()
	must(t, env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	return name
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create creates objects with a status as the operator would have written it.
func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		wanted := object.DeepCopyObject().(client.Object)
		must(t, env.Client.Create(t.Context(), object))
		wanted.SetResourceVersion(object.GetResourceVersion())
		wanted.SetUID(object.GetUID())
		must(t, env.Client.Status().Update(t.Context(), wanted))
	}
}

func at(name string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: name, Status: status, Reason: reason, Message: message, LastTransitionTime: paidAt}
}

// paidOrder returns a paid Order of 1.01 yuan.
func paidOrder(namespace, name string, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	o := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, TradeType: v1alpha1.TradeTypeNative, Description: "肥皂 x1",
			Amount: v1alpha1.Amount{Total: 101, Currency: v1alpha1.CurrencyCNY}},
		Status: v1alpha1.OrderStatus{
			Conditions:  []metav1.Condition{at("Prepared", "True", "Prepared", ""), at("Paid", "True", "Paid", "Paid")},
			Transaction: &v1alpha1.Transaction{ID: "4200000202611211234567890", Total: 101, Currency: "CNY", OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", PaidTime: &paidAt},
		},
	}
	for _, c := range change {
		c(o)
	}
	return o
}

// newRefund returns a Refund of 0.20 yuan of order-0001 that awaits a decision.
func newRefund(namespace, name string, change ...func(*v1alpha1.Refund)) *v1alpha1.Refund {
	r := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 20, Reason: "质量问题"},
		Status: v1alpha1.RefundStatus{Conditions: []metav1.Condition{at("Approved", "Unknown", "AwaitingApproval", "Waiting for a decision"),
			at("Accepted", "Unknown", "Pending", ""), at("Succeeded", "Unknown", "Pending", "Not refunded yet")}},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func refundNow(t *testing.T, namespace, name string) *v1alpha1.Refund {
	t.Helper()
	var r v1alpha1.Refund
	must(t, env.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, &r))
	return &r
}

// complete calls the command for completion, as a shell does.
func complete(t *testing.T, args []string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := plugin.Run(t.Context(), args, plugin.Env{Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut}, Getenv: func(string) string { return "" }})
	return result{code, out.String(), errOut.String()}
}
