package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Policy is the name of the policy; kustomize may have added a prefix or suffix.
const Policy = "wechatpay-operator-refund-approval"

// dryRunOrder is the Order name of the dry-run Refund. The operator may create only Refunds named
// <order>-late, which another policy enforces.
const dryRunOrder = "approval-policy-check"

// checkTimeout is the timeout of a check. If the API server does not respond in time, the check is
// repeated later.
const checkTimeout = 10 * time.Second

// plainRefund is a Refund without anything that a binding or another policy could select.
var plainRefund = &v1alpha1.Refund{Spec: v1alpha1.RefundSpec{Amount: 1}}

// try sends dry runs of requests that the policy must refuse to the operator: creating a decided
// Refund, and deciding an existing one. A binding can exclude labels, and a policy large amounts,
// so the dry runs use the labels and amounts of each given Refund. If something else refuses one of
// the Refunds, the others still count.
func try(ctx context.Context, writer client.Client, namespace string, refunds ...*v1alpha1.Refund) (Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var all Finding
	var unclear error
	for _, refund := range refunds {
		found, err := tryToCreate(ctx, writer, namespace, refund)
		switch {
		case found.State == Missing, found.State == InForce && canBeDecided(ctx, writer, refund):
			return Finding{State: Missing}, nil
		case found.State == InForce:
			all, unclear = found, nil
		case all.State == "":
			all, unclear = found, err
		}
	}
	return all, unclear
}

// tryToCreate dry-runs the creation of a decided Refund.
//
// Only a refusal with the policy's name and message proves that it is in force. The API server
// reports one refusal even if several policies refuse. If another policy refuses an approval first
// (four eyes checks the requester), a denial is tried, which needs the same verb and which four
// eyes permits. An accepted request proves that the policy is missing. Any other error (a missing
// permission of the operator, a terminating namespace, a quota, a schema error, a webhook) proves
// nothing.
func tryToCreate(ctx context.Context, writer client.Client, namespace string, like *v1alpha1.Refund) (Finding, error) {
	var last error
	for _, decision := range []v1alpha1.Approval{v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied} {
		err := writer.Create(ctx, decided(namespace, decision, like), client.DryRunAll)
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			return Finding{State: Missing}, nil
		case refusedByPolicy(err, Policy):
			return Finding{State: InForce}, nil
		case !refusedByPolicy(err, ""):
			return Finding{State: NotKnown, Why: err.Error()}, err
		}
		last = err
	}
	return Finding{State: NotKnown, Why: fmt.Sprintf("another policy refuses the request first: %v", last)}, last
}

func decided(namespace string, decision v1alpha1.Approval, like *v1alpha1.Refund) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: dryRunOrder + "-late", Labels: like.Labels, Annotations: like.Annotations},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: dryRunOrder}, Amount: like.Spec.Amount, Approval: decision},
	}
}

// canBeDecided dry-runs a decision on a waiting Refund. Any refusal is fine: the policy was just
// seen refusing a creation, and this checks whether it also covers updates. The optimistic lock
// ties the check to the version that was read: approving a Refund that somebody has approved
// meanwhile changes nothing, which everyone may do.
func canBeDecided(ctx context.Context, writer client.Client, refund *v1alpha1.Refund) bool {
	if refund == plainRefund || refund.Spec.Approval != "" || refund.DeletionTimestamp != nil {
		return false
	}
	decided := refund.DeepCopy()
	decided.Spec.Approval = v1alpha1.ApprovalApproved
	return writer.Patch(ctx, decided, client.MergeFromWithOptions(refund, client.MergeFromWithOptimisticLock{}), client.DryRunAll) == nil
}

// refusedByPolicy reports whether a ValidatingAdmissionPolicy refused the request. With a name, it
// must be that policy, and its expression must have denied the request rather than failed to
// evaluate.
func refusedByPolicy(err error, name string) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	_, message, found := strings.Cut(status.Status().Message, "ValidatingAdmissionPolicy '")
	policy, judgement, complete := strings.Cut(message, "'")
	if !found || !complete || !strings.Contains(judgement, " denied request: ") {
		return false
	}
	return name == "" || apierrors.IsForbidden(err) && strings.Contains(policy, name) && strings.Contains(judgement, "denied request: spec.approval of Refund ")
}
