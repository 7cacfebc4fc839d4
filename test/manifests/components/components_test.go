package components_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const (
	ns         = "shop"
	requester  = v1alpha1.AnnotationRequestedBy
	decider    = v1alpha1.AnnotationDecidedBy
	redirecter = v1alpha1.AnnotationAbnormalDecidedBy
	manager    = "system:serviceaccount:wechatpay-operator-system:wechatpay-operator-controller-manager"
	backend    = "system:serviceaccount:shop:backend"
	// strange is a name that an identity provider may give.
	strange = `https://sso.example.com#王小明 "o'neil" <a/b>`
)

var (
	env   *controlplane.Environment
	admin client.Client
	// All but the shop and the backend may ask for Refunds and approve them; those may only ask. Some of the others may
	// act as another: see actsAs.
	users = map[string]client.Client{"shop": nil, "wang": nil, "li": nil, "velero": nil, "argocd": nil, strange: nil, manager: nil, backend: nil,
		"impersonates-users": nil, "impersonates-wang": nil, "impersonates-wang-within-bounds": nil, "impersonates-accounts": nil,
		"impersonates-backend": nil, "impersonates-backend-within-bounds": nil, "makes-tokens": nil, "makes-backend-tokens": nil,
		"impersonates-others": nil, "clusteradmin": nil}

	// actsAs are the rights of those who may act as another; those in namespace shop unless they are about users.
	actsAs = map[string]rbacv1.PolicyRule{
		"impersonates-users":                 {APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}},
		"impersonates-wang":                  {APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"wang"}, Verbs: []string{"impersonate"}},
		"impersonates-wang-within-bounds":    {APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"users"}, ResourceNames: []string{"wang"}, Verbs: []string{"impersonate:user-info"}},
		"impersonates-accounts":              {APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"}},
		"impersonates-backend":               {APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"backend"}, Verbs: []string{"impersonate"}},
		"impersonates-backend-within-bounds": {APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"backend"}, Verbs: []string{"impersonate:serviceaccount"}},
		"makes-tokens":                       {APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"}},
		"makes-backend-tokens":               {APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, ResourceNames: []string{"backend"}, Verbs: []string{"create"}},
		// Close to the rights, but not them.
		"impersonates-others": {APIGroups: []string{""}, Resources: []string{"users", "serviceaccounts", "serviceaccounts/token"}, ResourceNames: []string{"shop", "argocd"},
			Verbs: []string{"impersonate", "create"}},
		"clusteradmin": {APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
	}
)

func TestMain(m *testing.M) {
	controlplane.Main(m, &env, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		return prepare(ctx)
	})
}

func prepare(ctx context.Context) error {
	admin = env.Client
	for _, name := range []string{ns, "wechatpay-operator-system"} {
		if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	if err := admin.Create(ctx, refund("older-0001", "")); err != nil {
		return err
	}
	if err := env.Apply(ctx, "config/rbac/*.yaml", "config/policy/*.yaml", "config/components/*/*.yaml"); err != nil {
		return err
	}
	number := 0
	for user := range users {
		config, err := env.User(user)
		if err != nil {
			return err
		}
		if users[user], err = client.New(config, client.Options{Scheme: controlplane.Scheme()}); err != nil {
			return err
		}
		roles := []string{"wechatpay-operator-shop", "wechatpay-operator-approver"}
		switch user {
		case "shop", backend:
			roles = roles[:1]
		case manager:
			roles = nil
		}
		for _, role := range roles {
			number++
			if err := admin.Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("b-%d", number)},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
			}); err != nil {
				return err
			}
		}
	}
	if err := letAct(ctx); err != nil {
		return err
	}
	// The API server learns of bindings and policies a moment after they are written. Those of who decided are asked by
	// a denial.
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		for user, c := range users {
			probe := refund("order-0001-late", "")
			probe.Annotations = map[string]string{requester: "nobody"}
			if err := c.Create(ctx, probe, client.DryRunAll); err != nil || probe.Annotations[requester] != user || len(probe.Finalizers) != 1 {
				return false, ignoreNotYet(err)
			}
			err := c.Create(ctx, refund("order-0001-late", v1alpha1.ApprovalApproved), client.DryRunAll)
			mayApprove := user != "shop" && user != manager && user != backend
			if !apierrors.IsForbidden(err) || mayApprove && !strings.Contains(err.Error(), "four eyes") {
				return false, ignoreNotYet(err)
			}
			if denied := refund("order-0001-late", v1alpha1.ApprovalDenied); mayApprove {
				if err := c.Create(ctx, denied, client.DryRunAll); err != nil || denied.Annotations[decider] != user {
					return false, ignoreNotYet(err)
				}
			}
		}
		return true, nil
	})
}

// letAct gives those who act as another their rights, in the whole cluster, since users are in no namespace.
func letAct(ctx context.Context) error {
	for user, rule := range actsAs {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{rule}}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}}
		for _, object := range []client.Object{role, binding} {
			if err := admin.Create(ctx, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// ignoreNotYet: a binding, a policy or, where a mutation is made, the kind itself may not have got around yet.
func ignoreNotYet(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsServiceUnavailable(err) {
		return nil
	}
	return err
}

func refund(name string, approval v1alpha1.Approval) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Refund"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 50, Approval: approval},
	}
}

// asked is a Refund that a user asked for.
func asked(t *testing.T, user, name string) *v1alpha1.Refund {
	t.Helper()
	r := refund(name, "")
	if err := users[user].Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func patch(t *testing.T, user, name, body string) error {
	return users[user].Patch(t.Context(), refund(name, ""), client.RawPatch(types.MergePatchType, []byte(body)))
}

func decide(t *testing.T, user, name string, approval v1alpha1.Approval) error {
	return patch(t, user, name, fmt.Sprintf(`{"spec":{"approval":%q}}`, approval))
}

func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Fatalf("%v, want Forbidden", err)
	}
	for _, w := range append(words, "ValidatingAdmissionPolicy 'wechatpay-operator-four-eyes'") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func requestedBy(t *testing.T, name string) string {
	t.Helper()
	return annotation(t, name, requester)
}

func annotation(t *testing.T, name, key string) string {
	t.Helper()
	r := refund(name, "")
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	return r.Annotations[key]
}

func TestFourEyes(t *testing.T) {
	asked(t, "wang", "refund-0001")
	refused(t, decide(t, "wang", "refund-0001", v1alpha1.ApprovalApproved), "wang asked for Refund shop/refund-0001", "somebody else")
	if err := decide(t, "li", "refund-0001", v1alpha1.ApprovalApproved); err != nil {
		t.Error(err)
	}
	// What is approved may be written on by whoever asked.
	if err := patch(t, "wang", "refund-0001", `{"metadata":{"labels":{"seen":"yes"}}}`); err != nil {
		t.Error(err)
	}

	asked(t, "wang", "refund-0002")
	if err := decide(t, "wang", "refund-0002", v1alpha1.ApprovalDenied); err != nil {
		t.Errorf("who asked may think better of it: %v", err)
	}
	for _, d := range []v1alpha1.Approval{v1alpha1.ApprovalApproved} {
		refused(t, users["wang"].Create(t.Context(), refund("born-0001", d)), "wang asked for Refund")
		forged := refund("born-0001", d)
		forged.Annotations = map[string]string{requester: "li"}
		refused(t, users["wang"].Create(t.Context(), forged), "wang asked for Refund")
	}

	asked(t, strange, "refund-0003")
	if got := requestedBy(t, "refund-0003"); got != strange {
		t.Errorf("requested by %q", got)
	}
	refused(t, decide(t, strange, "refund-0003", v1alpha1.ApprovalApproved))

	// Where the money of an abnormal refund goes is decided by somebody else than who asked for it,
	// too.
	abnormal := asked(t, "wang", "refund-0004")
	if err := decide(t, "li", abnormal.Name, v1alpha1.ApprovalApproved); err != nil {
		t.Error(err)
	}
	status := fmt.Sprintf(`{"status":{"conditions":[{"type":"Succeeded","status":"Unknown","reason":%q,"message":"","lastTransitionTime":"2026-11-21T12:00:00Z"}]}}`,
		v1alpha1.ReasonAbnormal)
	if err := admin.Status().Patch(t.Context(), abnormal, client.RawPatch(types.MergePatchType, []byte(status))); err != nil {
		t.Fatal(err)
	}
	const toMerchant = `{"spec":{"abnormal":{"to":"MerchantBankCard"}}}`
	refused(t, patch(t, "wang", abnormal.Name, toMerchant), "wang asked for Refund shop/refund-0004", "somebody else")
	if err := patch(t, "li", abnormal.Name, toMerchant); err != nil {
		t.Error(err)
	}
	if err := patch(t, "wang", abnormal.Name, `{"metadata":{"labels":{"seen":"yes"}}}`); err != nil {
		t.Error(err)
	}

	// What the operator asks for, after a late payment, any approver may approve, and the right is still needed.
	asked(t, manager, "order-0001-late")
	if err := decide(t, "shop", "order-0001-late", v1alpha1.ApprovalApproved); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "wechatpay-operator-refund-approval") {
		t.Errorf("%v, want a refusal by the other policy", err)
	}
	if err := decide(t, "wang", "order-0001-late", v1alpha1.ApprovalApproved); err != nil {
		t.Error(err)
	}
}

// TestWhoMayActAsTheRequesterIsNoSecondPerson: rights to impersonate who asked, or to make tokens for it, whether to
// all or by name.
func TestWhoMayActAsTheRequesterIsNoSecondPerson(t *testing.T) {
	asked(t, "wang", "by-a-user")
	asked(t, backend, "by-an-account")
	for user, may := range map[string]struct{ user, account bool }{
		"li":                                 {true, true},
		"impersonates-users":                 {false, false},
		"impersonates-wang":                  {false, true},
		"impersonates-wang-within-bounds":    {false, true},
		"impersonates-accounts":              {true, false},
		"impersonates-backend":               {true, false},
		"impersonates-backend-within-bounds": {true, false},
		"makes-tokens":                       {true, false},
		"makes-backend-tokens":               {true, false},
		"impersonates-others":                {true, true},
		"clusteradmin":                       {false, false},
	} {
		for name, allowed := range map[string]bool{"by-a-user": may.user, "by-an-account": may.account} {
			t.Run(user+"/"+name, func(t *testing.T) {
				body := []byte(`{"spec":{"approval":"Approved"}}`)
				err := users[user].Patch(t.Context(), refund(name, ""), client.RawPatch(types.MergePatchType, body), client.DryRunAll)
				switch {
				case allowed && err != nil:
					t.Error(err)
				case !allowed:
					refused(t, err, user+" may ", "who asked for Refund shop/"+name, "would not be four eyes", "without that right")
				}
				if err := users[user].Patch(t.Context(), refund(name, ""), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"approval":"Denied"}}`)), client.DryRunAll); err != nil {
					t.Errorf("to deny takes no second person: %v", err)
				}
			})
		}
	}
}

// TestRefundOfUnknownRequester: what is older than the policy can be denied, and asked for again.
func TestRefundOfUnknownRequester(t *testing.T) {
	refused(t, decide(t, "li", "older-0001", v1alpha1.ApprovalApproved), "not known", "Delete it and create it again")
	refused(t, patch(t, "li", "older-0001", `{"metadata":{"annotations":{"wechatpay-operator.io/requested-by":"wang"}}}`))
	if err := decide(t, "li", "older-0001", v1alpha1.ApprovalDenied); err != nil {
		t.Error(err)
	}
}

// TestWhoDecidedIsWrittenDown: by the name that the API server knows, whatever the request says, and never again after
// that.
func TestWhoDecidedIsWrittenDown(t *testing.T) {
	asked(t, "wang", "decided-0001")
	if got := annotation(t, "decided-0001", decider); got != "" {
		t.Errorf("nobody has decided, and it says %q", got)
	}
	for _, body := range []string{`{"metadata":{"annotations":{"wechatpay-operator.io/decided-by":"wang"}}}`, `{"metadata":{"annotations":{"wechatpay-operator.io/abnormal-decided-by":"wang"}}}`} {
		refused(t, patch(t, "wang", "decided-0001", body), "can't be added, changed or removed")
	}
	forged := `{"metadata":{"annotations":{"wechatpay-operator.io/decided-by":"wang"}},"spec":{"approval":"Approved","approvalMessage":"a hole in it"}}`
	if err := patch(t, "li", "decided-0001", forged); err != nil {
		t.Fatal(err)
	}
	if got := annotation(t, "decided-0001", decider); got != "li" {
		t.Errorf("decided by %q, want li", got)
	}
	for _, body := range []string{
		`{"metadata":{"annotations":{"wechatpay-operator.io/decided-by":"wang"}}}`,
		`{"metadata":{"annotations":{"wechatpay-operator.io/decided-by":null}}}`,
		`{"metadata":{"annotations":{"wechatpay-operator.io/decided-by":"velero"}},"spec":{"approval":"Approved"}}`,
	} {
		refused(t, patch(t, "velero", "decided-0001", body), "decided-by")
	}
	if err := patch(t, "wang", "decided-0001", `{"metadata":{"labels":{"seen":"yes"}}}`); err != nil {
		t.Error(err)
	}
	if got := annotation(t, "decided-0001", decider); got != "li" {
		t.Errorf("decided by %q, want li", got)
	}

	asked(t, strange, "decided-0002")
	if err := decide(t, strange, "decided-0002", v1alpha1.ApprovalDenied); err != nil {
		t.Fatal(err)
	}
	if got := annotation(t, "decided-0002", decider); got != strange {
		t.Errorf("decided by %q", got)
	}

	born := refund("decided-0003", v1alpha1.ApprovalDenied)
	born.Annotations = map[string]string{decider: "li"}
	if err := users["wang"].Create(t.Context(), born); err != nil {
		t.Fatal(err)
	}
	if got := annotation(t, born.Name, decider); got != "wang" {
		t.Errorf("born denied, decided by %q", got)
	}
	undecided := refund("decided-0004", "")
	undecided.Annotations = map[string]string{decider: "li"}
	refused(t, users["wang"].Create(t.Context(), undecided), "decided-by", "written with the decision")
}

// TestWhoRedirectedIsWrittenDown: beside who approved, and not in their place.
func TestWhoRedirectedIsWrittenDown(t *testing.T) {
	r := asked(t, "wang", "redirected-0001")
	if err := decide(t, "li", r.Name, v1alpha1.ApprovalApproved); err != nil {
		t.Fatal(err)
	}
	status := fmt.Sprintf(`{"status":{"conditions":[{"type":"Succeeded","status":"Unknown","reason":%q,"message":"","lastTransitionTime":"2026-11-21T12:00:00Z"}]}}`, v1alpha1.ReasonAbnormal)
	if err := admin.Status().Patch(t.Context(), r, client.RawPatch(types.MergePatchType, []byte(status))); err != nil {
		t.Fatal(err)
	}
	if err := patch(t, "velero", r.Name, `{"spec":{"abnormal":{"to":"MerchantBankCard"}}}`); err != nil {
		t.Fatal(err)
	}
	if first, second := annotation(t, r.Name, decider), annotation(t, r.Name, redirecter); first != "li" || second != "velero" {
		t.Errorf("approved by %q and redirected by %q, want li and velero", first, second)
	}
	refused(t, patch(t, "li", r.Name, `{"metadata":{"annotations":{"wechatpay-operator.io/abnormal-decided-by":"li"}}}`), "abnormal-decided-by")
}

// TestRequesterStays: nobody changes who asked, by whatever way.
func TestRequesterStays(t *testing.T) {
	asked(t, "wang", "stays-0001")
	for _, body := range []string{
		`{"metadata":{"annotations":{"wechatpay-operator.io/requested-by":"li"}}}`,
		`{"metadata":{"annotations":{"wechatpay-operator.io/requested-by":null}}}`,
		`{"metadata":{"annotations":null}}`,
		`{"metadata":{"annotations":{"wechatpay-operator.io/requested-by":"li"}},"spec":{"approval":"Approved"}}`,
	} {
		refused(t, patch(t, "wang", "stays-0001", body))
	}
	if got := requestedBy(t, "stays-0001"); got != "wang" {
		t.Errorf("requested by %q", got)
	}
}

// TestAppliedAgainByAnother: the same file applied again, by whatever tool and whoever, neither fails nor changes who
// asked.
func TestAppliedAgainByAnother(t *testing.T) {
	serverSide := func(user string) error {
		body, err := json.Marshal(map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Refund",
			"metadata": map[string]any{"namespace": ns, "name": "gitops-0001"}, "spec": refund("", "").Spec})
		if err != nil {
			return err
		}
		return users[user].Patch(t.Context(), refund("gitops-0001", ""), client.RawPatch(types.ApplyPatchType, body), client.FieldOwner("argocd"))
	}
	for _, user := range []string{"argocd", "argocd", "wang", "shop"} {
		if err := serverSide(user); err != nil {
			t.Errorf("%s: %v", user, err)
		}
		if got := requestedBy(t, "gitops-0001"); got != "argocd" {
			t.Errorf("after %s applied it: requested by %q", user, got)
		}
	}
	// What kubectl apply and its like send: a three-way patch against what they applied last, which never had the
	// annotation.
	for _, user := range []string{"wang", "shop"} {
		if err := patch(t, user, "gitops-0001", `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}},"spec":{"amount":50}}`); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	if got := requestedBy(t, "gitops-0001"); got != "argocd" {
		t.Errorf("requested by %q", got)
	}
	if err := decide(t, "wang", "gitops-0001", v1alpha1.ApprovalApproved); err != nil {
		t.Error(err)
	}
}

// TestRestore: while four eyes are on, who restores counts as who asks, and what was approved can't be restored: the
// bindings have to be taken away for that time.
func TestRestore(t *testing.T) {
	backup := refund("restored-0001", "")
	backup.Annotations = map[string]string{requester: "wang", "velero.io/backup": "b"}
	if err := users["velero"].Create(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if got := requestedBy(t, "restored-0001"); got != "velero" {
		t.Errorf("requested by %q", got)
	}
	backup = refund("restored-0002", v1alpha1.ApprovalApproved)
	backup.Annotations = map[string]string{requester: "wang"}
	refused(t, users["velero"].Create(t.Context(), backup), "velero asked for Refund")
}

// TestOneWriteIsSpared counts the writes that an Order sees until it is paid: when it can be paid and when it is, and
// no third.
func TestOneWriteIsSpared(t *testing.T) {
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	watching, err := client.NewWithWatch(env.Config, client.Options{Scheme: controlplane.Scheme()})
	shop.Must(err)
	seen, err := watching.Watch(t.Context(), &v1alpha1.OrderList{}, client.InNamespace(shop.Namespace))
	shop.Must(err)
	defer seen.Stop()
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	if len(order.Finalizers) != 1 || order.Finalizers[0] != v1alpha1.Finalizer {
		t.Errorf("created with the finalizers %q", order.Finalizers)
	}
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	paid := shop.WaitOrder("order-0001", "Paid=True/Paid")
	writes := 0
	for event := range seen.ResultChan() {
		if event.Type == watch.Modified {
			writes++
		}
		if event.Object.(*v1alpha1.Order).ResourceVersion == paid.ResourceVersion {
			break
		}
	}
	if writes != 2 {
		t.Errorf("%d writes, want 2", writes)
	}
	other := shop.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Finalizers = []string{"example.com/keep"} })
	shop.Create(other)
	if len(other.Finalizers) != 2 {
		t.Errorf("created with the finalizers %q", other.Finalizers)
	}
	shop.Patch(other, `{"metadata":{"finalizers":["wechatpay-operator.io/settle"]}}`)
	shop.Must(shop.Client.Delete(shop.Context(), other))
	shop.WaitGone(other)
}
