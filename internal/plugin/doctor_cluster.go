package plugin

import (
	"context"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// appLabel is on all objects of an installation.
var appLabel = client.MatchingLabels{"app.kubernetes.io/name": "wechatpay-operator"}

// leaseName is the name of the leader election's Lease.
const leaseName = "wechatpay-operator"

// policyNames are the policies of config/policy.
var policyNames = []string{
	"wechatpay-operator-automatic-refunds", "wechatpay-operator-event-sink-secrets", "wechatpay-operator-finalizer",
	"wechatpay-operator-merchant-secrets",
	"wechatpay-operator-mini-program-secrets", "wechatpay-operator-operator", "wechatpay-operator-owners", approvalPolicyName,
}

// approvalPolicyName is the policy without which Refunds are not sent.
const approvalPolicyName = "wechatpay-operator-refund-approval"

func (e *examination) definition(ctx context.Context) (*apiextensionsv1.CustomResourceDefinition, error) {
	var definition apiextensionsv1.CustomResourceDefinition
	err := e.client.Get(ctx, client.ObjectKey{Name: "refunds." + v1alpha1.GroupVersion.Group}, &definition)
	return &definition, err
}

// operator checks that the Deployments run, and shows their versions.
func (e *examination) operator(ctx context.Context) {
	subject := e.text("Operator")
	var deployments appsv1.DeploymentList
	if !e.listed(ctx, subject, &deployments, client.InNamespace(e.operatorNamespace), appLabel) {
		return
	}
	if len(deployments.Items) == 0 {
		e.report(careful, subject, e.text("no Deployment in namespace %s", e.operatorNamespace),
			e.text("install it, or say where it runs with --operator-namespace"))
		return
	}
	for _, d := range deployments.Items {
		images := []string{}
		for _, container := range d.Spec.Template.Spec.Containers {
			images = append(images, container.Image)
		}
		image := strings.Join(images, " ")
		wanted := ptr.Deref(d.Spec.Replicas, 1)
		look := e.text("kubectl -n %[1]s get pods, and the logs", d.Namespace)
		switch ready := d.Status.ReadyReplicas; {
		case ready == 0:
			e.report(faulty, subject, e.text("%[1]s: no replica of %[2]d is ready", d.Name, wanted), look)
		case ready < wanted:
			e.report(careful, subject, e.text("%[1]s: %[2]d of %[3]d replicas are ready", d.Name, ready, wanted), look)
		case strings.HasPrefix(e.Version, "v") && !strings.Contains(image, e.Version):
			e.report(careful, subject, e.text("%[1]s runs %[2]s, and this plugin is %[3]s", d.Name, image, e.Version),
				e.text("use the same version of both, so that fields and words agree"))
		default:
			e.report(inOrder, subject, e.text("%[1]s: %[2]d of %[3]d replicas are ready, %[4]s", d.Name, ready, wanted, image),
				"")
		}
	}
}

// leader checks that the Lease has a holder, and was renewed recently.
func (e *examination) leader(ctx context.Context) {
	subject := e.text("Leader")
	var lease coordinationv1.Lease
	switch err := e.client.Get(ctx, client.ObjectKey{Namespace: e.operatorNamespace, Name: leaseName}, &lease); {
	case apierrors.IsNotFound(err):
		e.report(careful, subject, e.text("no lease %[1]s in namespace %[2]s", leaseName, e.operatorNamespace),
			e.text("nobody reconciles, unless the operator runs without --leader-elect or elsewhere (--operator-namespace)"))
		return
	case err != nil:
		e.skip(subject, err)
		return
	}
	holder, seconds := ptr.Deref(lease.Spec.HolderIdentity, ""), ptr.Deref(lease.Spec.LeaseDurationSeconds, 15)
	if holder == "" || lease.Spec.RenewTime == nil {
		e.report(faulty, subject, e.text("nobody leads"), e.text("kubectl -n %[1]s get pods, and the logs", e.operatorNamespace))
		return
	}
	if age := e.Now().Add(e.serverTime).Sub(lease.Spec.RenewTime.Time); age > 2*time.Duration(seconds)*time.Second {
		e.report(faulty, subject, e.text("%[1]s renewed the lease last %[2]s ago", holder, age.Round(time.Second)),
			e.text("kubectl -n %[1]s get pods, and the logs", e.operatorNamespace))
		return
	}
	e.report(inOrder, subject, e.text("%s leads", holder), "")
}

// policies checks each policy and its binding. kustomize may have added a prefix or a suffix to their names.
func (e *examination) policies(ctx context.Context) {
	subject := e.text("Policies")
	var policies admissionv1.ValidatingAdmissionPolicyList
	var bindings admissionv1.ValidatingAdmissionPolicyBindingList
	if !e.listed(ctx, subject, &policies) || !e.listed(ctx, subject, &bindings) {
		return
	}
	install := e.text("kubectl apply --server-side -k config/policy, or helm upgrade with policies.enabled=true")
	faults := 0
	for _, name := range policyNames {
		if fault := e.faultOf(name, policies.Items, bindings.Items); fault != "" {
			faults++
			e.report(faulty, subject, fault, install)
		}
	}
	if faults == 0 {
		e.report(inOrder, subject, e.text("all %d are installed and bound", len(policyNames)), "")
	}
}

// faultOf returns what is wrong with a binding; empty if the policy denies.
func (e *examination) faultOf(name string, policies []admissionv1.ValidatingAdmissionPolicy,
	bindings []admissionv1.ValidatingAdmissionPolicyBinding) string {
	at := slices.IndexFunc(policies, func(p admissionv1.ValidatingAdmissionPolicy) bool { return strings.Contains(p.Name, name) })
	if at < 0 {
		return e.text("%s is not installed", name)
	}
	policy := policies[at]
	if policy.Spec.FailurePolicy != nil && *policy.Spec.FailurePolicy != admissionv1.Fail {
		return e.text("%s lets through what it cannot evaluate (failurePolicy)", policy.Name)
	}
	denies := func(b admissionv1.ValidatingAdmissionPolicyBinding) bool {
		return b.Spec.PolicyName == policy.Name && slices.Contains(b.Spec.ValidationActions, admissionv1.Deny)
	}
	if at = slices.IndexFunc(bindings, denies); at < 0 {
		return e.text("%s has no binding that denies", policy.Name)
	}
	if match := bindings[at].Spec.MatchResources; match != nil && (selects(match.NamespaceSelector) ||
		selects(match.ObjectSelector) || len(match.ExcludeResourceRules) > 0) {
		return e.text("%s makes exceptions (its binding's matchResources)", policy.Name)
	}
	return ""
}

func selects(selector *metav1.LabelSelector) bool {
	return selector != nil && (len(selector.MatchLabels) > 0 || len(selector.MatchExpressions) > 0)
}

// approvalPolicy checks by a dry run that the policy on approvals is in force. That works only if the caller may create
// Refunds and not approve them. The operator's own check is the Merchants' condition RefundsGuarded.
func (e *examination) approvalPolicy(ctx context.Context) {
	subject := e.text("Policy on approvals")
	group := v1alpha1.GroupVersion.Group
	if !e.may(ctx, "create", group, "refunds", e.namespace, "") || e.may(ctx, "approve", group, "refunds", e.namespace, "") {
		e.report(notSeen, subject, e.text("not tried: your rights let you approve, or create no Refunds"),
			e.text("the line RefundsGuarded of a Merchant has the operator's own try"))
		return
	}
	// The four-eyes policy may refuse an approval before this policy does, and permits a denial, which needs the same
	// right.
	var last error
	for _, decision := range []v1alpha1.Approval{v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied} {
		err := e.tryToDecide(ctx, decision)
		found := []string{}
		if err != nil {
			found = policyWord.FindStringSubmatch(err.Error())
		}
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			e.report(faulty, subject, e.text("a dry run of an approval by you was let through, and you lack the verb approve"),
				e.text("kubectl apply --server-side -k config/policy, or helm upgrade with policies.enabled=true"))
			return
		case len(found) > 0 && strings.Contains(found[1], approvalPolicyName):
			e.report(inOrder, subject, e.text("a dry run of an approval by you was refused"), "")
			return
		}
		last = err
	}
	e.skip(subject, last)
}

// tryToDecide creates a decided Refund in a dry run.
func (e *examination) tryToDecide(ctx context.Context, decision v1alpha1.Approval) error {
	const name = "approval-policy-check"
	decided := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: name}, Amount: 1, Approval: decision},
	}
	return e.client.Create(ctx, decided, client.DryRunAll, client.FieldOwner(fieldManager))
}
