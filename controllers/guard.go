package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
)

// Guard reports whether the admission policy is in force that restricts who may approve a Refund.
type Guard interface {
	// Look returns what is known about a namespace, which may be some minutes old.
	Look(ctx context.Context, namespace string) guard.Finding
	// LookNow returns what was known, and what a check for a Refund finds now.
	LookNow(ctx context.Context, refund *v1alpha1.Refund) (before, now guard.Finding)
	// Listen sets a function that is called when what is known about a namespace changes.
	Listen(changed func(namespace string))
}

// maxPolicyTrials limits for how many Refunds the policy is checked at a time.
const maxPolicyTrials = 10

// RefundsToTry returns some undecided Refunds of a namespace, each with different labels: a binding
// may exclude some of them by label.
func RefundsToTry(cached client.Reader) func(ctx context.Context, namespace string) []*v1alpha1.Refund {
	return func(ctx context.Context, namespace string) (chosen []*v1alpha1.Refund) {
		refunds, err := waitingRefunds(ctx, cached, client.InNamespace(namespace))
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Failed to list Refunds to try the policy on approvals on", "namespace", namespace)
			return nil
		}
		seen := map[string]bool{}
		for i := range refunds {
			refund := &refunds[i]
			labelled := labels.FormatLabels(refund.Labels)
			if refund.Spec.Approval == "" && !isDeleted(refund) && !seen[labelled] && len(chosen) < maxPolicyTrials {
				seen[labelled] = true
				chosen = append(chosen, refund.DeepCopy())
			}
		}
		return chosen
	}
}

// explainGuard returns the reason and message while something waits for the policy.
func explainGuard(found guard.Finding, namespace string) (reason, message string) {
	if found.State == guard.Missing {
		return v1alpha1.ReasonPolicyMissing, fmt.Sprintf("The ValidatingAdmissionPolicy %s is not in force in namespace %s, so anybody could approve Refunds: "+
			"install config/policy and its bindings again, with validationActions Deny, and see that the operator's own ServiceAccount has no verb approve. "+
			"Refunds that need an approval wait until then; do not approve any before", guard.Policy, namespace)
	}
	return v1alpha1.ReasonPolicyNotVerified, fmt.Sprintf("Whether the ValidatingAdmissionPolicy %s is in force in namespace %s is not known yet, and Refunds that need an approval wait; "+
		"it is checked again automatically. %s", guard.Policy, namespace, found.Why)
}
