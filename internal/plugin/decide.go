package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// maxMessage is the limit of the CRD, in characters.
const maxMessage = 256

// maxShown limits how often a Refund is shown again because it has changed.
const maxShown = 5

// decision is approve or deny.
type decision struct {
	approval v1alpha1.Approval
	verb     string
	// needsMessage: the message tells the requester why.
	needsMessage bool
	short, long  string
	question     string
	done         string
}

var (
	approving = decision{
		approval: v1alpha1.ApprovalApproved, verb: "approve",
		short: "Approve Refunds, after showing what each one is about",
		long: "Shows who asked for a Refund, how much of what was paid it is, and what the payer sees, and asks. Your yes is " +
			"recorded only if " +
			"the Refund is still what was shown. It is final.",
		question: "Approve this refund: pay back %s to the payer?",
		done: "Approved %[1]s: %[2]s. The operator sends it to WeChat Pay; kubectl get wxr %[1]s --watch shows what " +
			"becomes of it.",
	}
	denying = decision{
		approval: v1alpha1.ApprovalDenied, verb: "deny", needsMessage: true,
		short: "Deny Refunds, and say why",
		long: "Shows a Refund as approve does, and asks. -m says why, for whoever asked for it; the payer does not see it. " +
			"Your yes is recorded " +
			"only if the Refund is still what was shown. It is final.",
		question: "Deny this refund: pay back nothing of %s?",
		done:     "Denied %[1]s: %[2]s are not paid back. If they should be after all, create another Refund.",
	}
)

// decide makes the command for a decision.
func (p *plugin) decide(d decision) *cobra.Command {
	var message string
	var yes bool
	example := "  kubectl wechatpay " + d.verb + " refund-20261121-0001"
	if d.needsMessage {
		example += " -m " + p.text("'the goods are fine'")
	}
	command := &cobra.Command{
		Use:               d.verb + " REFUND...",
		Short:             p.text(d.short),
		Long:              p.text(d.long),
		Example:           example,
		ValidArgsFunction: p.complete(p.undecided),
		RunE: func(command *cobra.Command, names []string) error {
			if len(names) == 0 {
				return p.usagef("Name the Refunds. kubectl get wxr lists them.")
			}
			message, err := p.checkMessage(d, message)
			if err == nil {
				err = p.ready()
			}
			if err != nil {
				return err
			}
			return p.decideAll(command.Context(), d, names, message, yes)
		},
	}
	command.Flags().StringVarP(&message, "message", "m", "",
		p.text("Why. Stored as spec.approvalMessage; the payer does not see it."))
	command.Flags().BoolVarP(&yes, "yes", "y", false, p.text("Do not ask. For scripts."))
	p.outputFlag(command)
	return command
}

// checkMessage refuses an invalid message before the question; otherwise the API server would refuse it after the
// answer.
func (p *plugin) checkMessage(d decision, message string) (string, error) {
	message = strings.TrimSpace(message)
	switch {
	case message == "" && d.needsMessage:
		return "", p.usagef("Say why with -m, for whoever asked for the refund. The payer does not see it.")
	case utf8.RuneCountInString(message) > maxMessage:
		return "", p.usagef("The message has more than %d characters.", maxMessage)
	case strings.ContainsFunc(message, unicode.IsControl) || !utf8.ValidString(message):
		return "", p.usagef("The message must be one line of text, without control characters.")
	}
	return message, nil
}

// decideAll continues with the next Refund if one can't be decided. It returns the first error.
func (p *plugin) decideAll(ctx context.Context, d decision, names []string, message string, yes bool) error {
	var first error
	for _, name := range names {
		err := p.decideOne(ctx, d, name, message, yes)
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil && len(names) > 1 {
			p.notef("%[1]s: %[2]s", name, err)
		}
	}
	if first != nil && len(names) > 1 {
		return p.failf(codeOf(first), "Not all Refunds were decided.")
	}
	return first
}

// decideOne shows a Refund, asks, and writes the decision into the version that was shown. If the Refund has changed
// meanwhile, it is shown again.
func (p *plugin) decideOne(ctx context.Context, d decision, name, message string, yes bool) error {
	var shown *v1alpha1.Refund
	for range maxShown {
		facts, err := p.gather(ctx, name)
		if err != nil {
			return err
		}
		if done, err := p.nothingToDecide(d, facts); done || err != nil {
			return err
		}
		if yes && shown != nil && (shown.UID != facts.refund.UID || !equality.Semantic.DeepEqual(shown.Spec, facts.refund.Spec)) {
			p.show(facts, message)
			return p.failf(ExitFailure, "The Refund is another one than was shown, or asks for something else now, and --yes was for "+
				"what was shown: nothing was recorded. Look at it, and call the command again.")
		}
		shown = facts.refund.DeepCopy()
		p.show(facts, message)
		if !yes && !p.ask(d.question, p.sum(facts, facts.refund.Spec.Amount)) {
			return p.failf(ExitDeclined, "Nothing was changed.")
		}
		err = p.record(ctx, d, facts.refund, message)
		switch {
		case apierrors.IsConflict(err):
			p.notef("The Refund was changed since it was shown, so nothing was recorded. This is what it is now:")
			continue
		case apierrors.IsNotFound(err):
			return p.notFound(err, "Refund", p.namespace, name)
		case unclear(err):
			return p.failf(ExitFailure, "Whether the decision was recorded is not known: %[1]s. Call the same command again: "+
				"it decides only what is undecided.", err)
		case err != nil:
			return p.explain(err)
		}
		if p.machine() {
			return p.print(facts.refund)
		}
		p.printf(d.done, name, p.sum(facts, facts.refund.Spec.Amount))
		return nil
	}
	return p.failf(ExitFailure, "The Refund changes all the time; nothing was recorded. Try again later.")
}

// nothingToDecide reports whether the Refund already has this decision; it returns an error if it has another one.
func (p *plugin) nothingToDecide(d decision, f *refundFacts) (bool, error) {
	r := f.refund
	approved := condition(r.Status.Conditions, v1alpha1.ConditionApproved)
	succeeded := condition(r.Status.Conditions, v1alpha1.ConditionSucceeded)
	by := p.person(r.Annotations[v1alpha1.AnnotationDecidedBy])
	switch {
	case r.Spec.Approval == d.approval:
		p.notef("Refund %[1]s is %[2]s already; decided by: %[3]s.", r.Name, p.word(string(r.Spec.Approval)), by)
		if p.machine() {
			return true, p.print(r)
		}
		return true, nil
	case r.Spec.Approval != "":
		return false, p.failf(ExitUnexpected,
			"Refund %[1]s is %[2]s, which is final; decided by: %[3]s. If it was a mistake, another Refund has to be "+
				"created.", r.Name, p.word(string(r.Spec.Approval)), by)
	case r.DeletionTimestamp != nil:
		return false, p.failf(ExitUnexpected, "Refund %s is being deleted; there is nothing to decide.", r.Name)
	case approved.Status == metav1.ConditionTrue:
		return false, p.failf(ExitUnexpected, "Refund %[1]s needs no decision and cannot be held back any more: %[2]s.", r.Name,
			p.reason(approved.Reason))
	case succeeded.Status == metav1.ConditionTrue || succeeded.Status == metav1.ConditionFalse:
		return false, p.failf(ExitUnexpected, "Refund %[1]s has ended as %[2]s; there is nothing to decide.", r.Name,
			p.reasonOf("Refund", succeeded.Reason))
	case d.approval == v1alpha1.ApprovalApproved && approved.Reason == v1alpha1.ReasonPolicyMissing:
		return false, p.failf(ExitUnexpected,
			"The policy on approvals is not in force in this namespace. What is approved now is never sent, so nothing was "+
				"changed. Ask who runs the operator to install config/policy, and approve then.")
	}
	return false, nil
}

// record writes the decision by a patch that applies only to the version that was read. The response is read into the
// Refund.
func (p *plugin) record(ctx context.Context, d decision, refund *v1alpha1.Refund, message string) error {
	spec := map[string]any{"approval": d.approval}
	if message != "" {
		spec["approvalMessage"] = message
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": refund.UID, "resourceVersion": refund.ResourceVersion},
		"spec":     spec,
	})
	if err != nil {
		return err
	}
	return p.client.Patch(ctx, refund, client.RawPatch(types.MergePatchType, body), client.FieldOwner(fieldManager))
}

// unclear reports whether the API server may have executed the request: the connection broke, or the request timed out.
func unclear(err error) bool {
	var status apierrors.APIStatus
	return err != nil && (!errors.As(err, &status) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsInternalError(err))
}
