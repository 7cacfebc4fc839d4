package plugin_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// installation has the objects of a running operator that doctor checks.
func installation(t *testing.T, namespace string, renewed time.Time) {
	t.Helper()
	labels := map[string]string{"app.kubernetes.io/name": "wechatpay-operator"}
	create(t, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "wechatpay-operator-controller-manager", Labels: labels},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "manager",
					Image: "registry.example.com/wechatpay-operator:v1.2.3"}}}}},
		Status: appsv1.DeploymentStatus{Replicas: 2, ReadyReplicas: 2, AvailableReplicas: 2},
	})
	renewTime := metav1.NewMicroTime(renewed)
	must(t, env.Client.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace,
		Name: "wechatpay-operator"},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: new("manager-0"), LeaseDurationSeconds: new(int32(15)),
			RenewTime: &renewTime}}))
}

// healthyMerchant has only good conditions, and daily Statements.
func healthyMerchant(namespace, name string, change ...func(*v1alpha1.Merchant)) *v1alpha1.Merchant {
	end := metav1.NewTime(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC))
	m := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wxd678efh567hg6787",
			APIKeySecretRef:      v1alpha1.SecretKeyReference{Name: "shop-wechatpay"},
			CertificateSecretRef: &v1alpha1.SecretReference{Name: "shop-wechatpay-cert"}},
		Status: v1alpha1.MerchantStatus{
			Conditions: []metav1.Condition{at("Ready", "True", "Ready", ""), at("CallsAllowed", "True", "Allowed", ""),
				at("RefundsGuarded", "True", "Guarded", ""),
				at("CallbacksReachable", "True", "Reachable", "")},
			Certificate: &v1alpha1.MerchantCertificate{SerialNumber: "AB", NotAfter: &end},
		},
	}
	for _, c := range change {
		c(m)
	}
	return m
}

// TestDoctor shows a healthy installation to an administrator, and to each role what it may see.
func TestDoctor(t *testing.T) {
	ns, system := namespaceFor(t, "doctor"), namespaceFor(t, "doctor-system")
	// The renew time is in the future: the Lease must not expire on a slow machine.
	installation(t, system, time.Now().Add(10*time.Minute))
	create(t, healthyMerchant(ns, "shop"))
	for _, name := range []string{"shop-wechatpay", "shop-wechatpay-cert"} {
		must(t, env.Client.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}))
	}
	create(t, newRefund(ns, "refund-0001"))
	args := []string{"doctor", "--operator-namespace", system}
	call{user: "root", version: "v1.2.3"}.run(t, ns, args...).golden(t, "doctor.en")
	call{user: "root", version: "v1.2.3", locale: "zh_CN.UTF-8"}.run(t, ns, args...).golden(t, "doctor.zh")
	for user, words := range map[string][]string{
		"shop": {"OK    Policy on approvals: a dry run of an approval by you was refused",
			"SKIP  Merchants: not visible with your rights -> You lack the right to list merchants.wechatpay-operator.io",
			"SKIP  Leader", "SKIP  Policies", "SKIP  Operator"},
		"viewer": {"SKIP  Policy on approvals: not tried", "SKIP  Merchant shop Secret shop-wechatpay: not visible",
			"OK    Merchant shop RefundsGuarded", "all are installed; their version is not visible"},
		"approver": {"SKIP  Policy on approvals: not tried", "OK    Refunds: 1 wait for a decision"},
		"admin":    {"OK    Merchant shop Ready", "SKIP  Merchant shop Secret shop-wechatpay", "SKIP  Refunds"},
		"nobody":   {"OK    API server", "SKIP  Merchants"},
	} {
		call{user: user, version: "v1.2.3"}.run(t, ns, args...).expect(t, plugin.ExitDone, words...)
	}
	if refunds := (&v1alpha1.RefundList{}); env.Client.List(t.Context(), refunds, client.InNamespace(ns)) != nil ||
		len(refunds.Items) != 1 {
		t.Error("doctor left something behind")
	}
}

// TestDoctorFinds faults, each on a line with advice.
func TestDoctorFinds(t *testing.T) {
	ns, system := namespaceFor(t, "doctor-finds"), namespaceFor(t, "doctor-finds-system")
	installation(t, system, time.Now().Add(-time.Hour))
	soon, gone := metav1.NewTime(time.Now().Add(5*24*time.Hour+time.Hour)), metav1.NewTime(time.Now().Add(-time.Hour))
	create(t,
		healthyMerchant(ns, "shop", func(m *v1alpha1.Merchant) {
			m.Status.Conditions = []metav1.Condition{at("Ready", "False", "EndpointNotAllowed", "the host is not allowed"),
				at("RefundsGuarded", "False", "PolicyMissing", ""),
				at("CallbacksReachable", "False", "HTTPStatus", "404"), at("CallsAllowed", "False", "AllPaused", "")}
			m.Spec.Endpoint = &v1alpha1.Endpoint{URL: "https://relay.example.com"}
			m.Status.Certificate.NotAfter = &soon
			m.Status.Verifiers = []v1alpha1.Verifier{{ID: "CD", Type: "Certificate", Fingerprint: "0123456789abcdef",
				NotAfter: &gone}}
			m.Spec.Statements = &v1alpha1.MerchantStatements{Schedule: v1alpha1.StatementsDaily}
		}),
		&v1alpha1.EventSink{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "orders"},
			Spec:   v1alpha1.EventSinkSpec{URL: "https://orders.shop.example", SecretRef: v1alpha1.SigningKeyReference{Name: "shop-events"}},
			Status: v1alpha1.EventSinkStatus{Conditions: []metav1.Condition{at("Delivering", "False", "DeliveryFailed", "502")}}},
		&v1alpha1.MiniProgram{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"},
			Spec: v1alpha1.MiniProgramSpec{AppID: "wxd678efh567hg6787", AppSecretRef: v1alpha1.AppSecretReference{Name: "shop-app"}}},
		healthyMerchant(ns, "fresh", func(m *v1alpha1.Merchant) { m.Status = v1alpha1.MerchantStatus{} }))
	r := call{user: "root", version: "v9.9.9"}.run(t, ns, "doctor", "--operator-namespace", system)
	r.expect(t, plugin.ExitUnexpected,
		"runs registry.example.com/wechatpay-operator:v1.2.3, and this plugin is v9.9.9 -> use the same version",
		"FAIL  Leader: manager-0 renewed the lease last ",
		"FAIL  Merchant shop Ready: EndpointNotAllowed: the host is not allowed -> docs/troubleshooting.md has a paragraph on EndpointNotAllowed",
		"FAIL  Merchant shop RefundsGuarded: PolicyMissing",
		"WARN  Merchant shop CallbacksReachable: HTTPStatus: 404",
		"WARN  Merchant shop CallsAllowed",
		"WARN  Merchant shop endpoint: calls go to https://relay.example.com",
		"WARN  Merchant shop certificate: expires at", "in 5 days",
		"FAIL  Merchant shop WeChat Pay's certificate CD: expired",
		"FAIL  Merchant shop Secret shop-wechatpay: does not exist",
		"FAIL  Merchant fresh Ready: the operator has not looked at it",
		"FAIL  EventSink orders: DeliveryFailed: 502 -> docs/troubleshooting.md",
		"FAIL  EventSink orders Secret shop-events: does not exist",
		"WARN  MiniProgram shop: ",
		"FAIL  MiniProgram shop Secret shop-app: does not exist",
		"Faults: ")
	call{user: "root"}.run(t, ns, "doctor", "--operator-namespace", "nowhere").expect(t, plugin.ExitUnexpected,
		"WARN  Operator: no Deployment in namespace nowhere", "WARN  Leader: no lease")

	var report struct {
		Kind     string
		Findings []struct{ Verdict, Subject, Found, Do string }
	}
	if err := json.Unmarshal([]byte(call{user: "root"}.run(t, ns, "doctor", "--operator-namespace", system, "-o", "json").out),
		&report); err != nil || report.Kind != "Doctor" || len(report.Findings) < 10 {
		t.Errorf("%v: %+v", err, report)
	}
}

// TestDoctorOnStatements: the latest one that is due must exist and agree.
func TestDoctorOnStatements(t *testing.T) {
	ns := namespaceFor(t, "doctor-statements")
	merchant := healthyMerchant(ns, "shop", func(m *v1alpha1.Merchant) {
		m.Spec.Statements = &v1alpha1.MerchantStatements{Schedule: v1alpha1.StatementsDaily}
	})
	create(t, merchant)
	// Noon in Beijing, ten days after the Merchant was created.
	created := merchant.CreationTimestamp.Add(8 * time.Hour)
	noon := time.Date(created.Year(), created.Month(), created.Day()+10, 4, 30, 0, 0, time.UTC)
	yesterday := noon.AddDate(0, 0, -1).Format("2006-01-02")
	doctor := func(now time.Time) result { return call{user: "root", now: now}.run(t, ns, "doctor") }
	doctor(noon).expect(t, plugin.ExitUnexpected,
		"WARN  Merchant shop Statements: there is none of "+yesterday+" -> kubectl wechatpay statement shop "+yesterday)
	if r := doctor(time.Now()); !strings.Contains(r.out, "OK    Merchant shop Statements: none is due yet") {
		t.Error(r)
	}
	statement := newStatement(ns, "shop", yesterday)
	create(t, statement)
	doctor(noon).expect(t, plugin.ExitUnexpected, "WARN  Merchant shop Statements: "+yesterday+": Creating")
	statement = newStatement(ns, "shop", yesterday)
	must(t, env.Client.Get(t.Context(), client.ObjectKeyFromObject(statement), statement))
	statement.Status.Conditions = []metav1.Condition{at("Downloaded", "True", "Downloaded", ""), at("Balanced", "False",
		"Differs", "1 difference")}
	must(t, env.Client.Status().Update(t.Context(), statement))
	doctor(noon).expect(t, plugin.ExitUnexpected, "FAIL  Merchant shop Statements: "+yesterday+": Differs: 1 difference")
}

// TestDoctorSeesThatThePolicyIsMissing, by what the caller itself could do, and by the objects in the cluster.
func TestDoctorSeesThatThePolicyIsMissing(t *testing.T) {
	ns := namespaceFor(t, "doctor-policy")
	create(t, healthyMerchant(ns, "shop"))
	const name = "wechatpay-operator-refund-approval"
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
	must(t, env.Client.Get(t.Context(), client.ObjectKey{Name: name}, binding))
	back := binding.DeepCopy()
	back.ResourceVersion = ""
	must(t, env.Client.Delete(t.Context(), binding))
	t.Cleanup(func() {
		must(t, client.IgnoreAlreadyExists(env.Client.Create(context.WithoutCancel(t.Context()), back)))
	})
	missing := func(user string, words string) {
		t.Helper()
		var last result
		if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 45*time.Second, true,
			func(context.Context) (bool, error) {
				last = call{user: user}.run(t, ns, "doctor")
				return last.code == plugin.ExitUnexpected && strings.Contains(last.out, words), nil
			}); err != nil {
			t.Errorf("%q is not in:\n%s", words, last)
		}
	}
	missing("shop", "FAIL  Policy on approvals: a dry run of an approval by you was let through")
	withFourEyes(t, func() { // four eyes refuse the approval, which would hide that the other policy is missing
		missing("shop", "FAIL  Policy on approvals: a dry run of an approval by you was let through")
	})
	missing("root", "FAIL  Policies: "+name+" has no binding that denies -> kubectl apply --server-side -k config/policy")
	warns := back.DeepCopy()
	warns.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
	must(t, env.Client.Create(t.Context(), warns))
	missing("root", name+" has no binding that denies")
	warns.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Deny}
	warns.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"guarded": "yes"}}}
	must(t, env.Client.Update(t.Context(), warns))
	missing("root", name+" makes exceptions")
	must(t, env.Client.Delete(t.Context(), warns))
	must(t, env.Client.Create(t.Context(), back.DeepCopy()))
	must(t, awaitPolicies(t.Context()))
}

// withFourEyes calls a function while the component is installed.
func withFourEyes(t *testing.T, do func()) {
	t.Helper()
	must(t, env.Apply(t.Context(), "config/components/four-eyes/*.yaml"))
	shop, err := env.User("shop")
	must(t, err)
	as, err := client.New(shop, client.Options{Scheme: controlplane.Scheme()})
	must(t, err)
	refusesApprovals := func(want bool) {
		t.Helper()
		must(t, wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 45*time.Second, true, func(ctx context.Context) (bool, error) {
			approved, denied := newRefund("default", "probe-0001"), newRefund("default", "probe-0002")
			approved.Spec.Approval, denied.Spec.Approval = v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied
			refused := as.Create(ctx, approved, client.DryRunAll) != nil
			taken := as.Create(ctx, denied, client.DryRunAll) == nil
			return taken && refused == want && (denied.Annotations[v1alpha1.AnnotationDecidedBy] != "") == want, nil
		}))
	}
	refusesApprovals(true)
	do()
	for _, file := range []string{"stamp.yaml", "policy.yaml"} {
		content, err := os.Open(filepath.Join(controlplane.Root(), "config/components/four-eyes", file))
		must(t, err)
		objects, err := controlplane.Decode(content)
		must(t, err)
		for _, object := range objects {
			must(t, env.Client.Delete(t.Context(), object))
		}
	}
	refusesApprovals(false)
}

// TestDoctorKnowsAllPolicies of config/policy, and no others.
func TestDoctorKnowsAllPolicies(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(controlplane.Root(), "config/policy/*.yaml"))
	must(t, err)
	var names []string
	for _, file := range files {
		content, err := os.Open(file)
		must(t, err)
		objects, err := controlplane.Decode(content)
		must(t, err)
		for _, object := range objects {
			if object.GetKind() == "ValidatingAdmissionPolicy" {
				names = append(names, object.GetName())
			}
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, plugin.PolicyNames) {
		t.Errorf("doctor looks for %q, and config/policy has %q", plugin.PolicyNames, names)
	}
}
