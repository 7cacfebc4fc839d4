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

// Policy is the name of the policy that is tried; kustomize may have put something before or behind it.
const Policy = "wechatpay-operator-refund-approval"

// tried is the Order of the Refund that is tried. The operator may create Refunds named <order>-late, which another policy sees to.
const tried = "approval-policy-check"

// patience bounds a try. An API server that does not answer in time is asked again later.
const patience = 10 * time.Second

// ordinary is a Refund without anything that a binding or another policy could choose by.
var ordinary = &v1alpha1.Refund{Spec: v1alpha1.RefundSpec{Amount: 1}}

// try asks the API server, by dry runs, for what the policy must refuse to the operator: Refunds that are created with a decision, and a
// decision on one that is there. A binding can leave out what has some label, and a policy what is above some amount, so it is tried
// with what each of the Refunds has. One that can't be tried, since something else refuses what it has, hides nothing of the others.
func try(ctx context.Context, writer client.Client, namespace string, refunds ...*v1alpha1.Refund) (Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
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

// tryToCreate tries a Refund that is born decided.
//
// Only a refusal in the policy's own name and words is a proof. The API server tells one refusal even where several policies
// refuse, so when another one stood before it (four eyes refuse an approval by who asks), a denial is tried, which takes the
// same right and which four eyes allow. What the API server takes is a proof of the contrary. Everything else, such as a
// missing right of the operator, a namespace on its way out, a quota, a schema or a webhook, proves nothing.
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
	return Finding{State: NotKnown, Why: fmt.Sprintf("another policy refuses it first: %v", last)}, last
}

func decided(namespace string, decision v1alpha1.Approval, like *v1alpha1.Refund) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: tried + "-late", Labels: like.Labels, Annotations: like.Annotations},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: tried}, Amount: like.Spec.Amount, Approval: decision},
	}
}

// canBeDecided tries to decide on a Refund that waits for people. Any refusal will do: the policy's own was seen a moment ago, and this is
// about whether it looks at changes too. It is about the Refund as it was seen: one that somebody has approved meanwhile would be approved
// again, which changes nothing and is for everybody.
func canBeDecided(ctx context.Context, writer client.Client, refund *v1alpha1.Refund) bool {
	if refund == ordinary || refund.Spec.Approval != "" || refund.DeletionTimestamp != nil {
		return false
	}
	decided := refund.DeepCopy()
	decided.Spec.Approval = v1alpha1.ApprovalApproved
	return writer.Patch(ctx, decided, client.MergeFromWithOptions(refund, client.MergeFromWithOptimisticLock{}), client.DryRunAll) == nil
}

// refusedByPolicy says whether a ValidatingAdmissionPolicy refused; with a name, whether that one did, by its own judgement and
// not because it could not be evaluated.
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
