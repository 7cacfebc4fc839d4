package controllers

import (
	"context"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// merchantFor returns the Merchant and the Account for an Order that may use its Merchant.
func (b *Base) merchantFor(ctx context.Context, order *v1alpha1.Order) (*v1alpha1.Merchant, *account.Account, error) {
	found, err := account.ForOrder(ctx, b.Client, order)
	if err != nil {
		return nil, nil, err
	}
	return b.accountFor(ctx, order, found)
}

// merchantOfStarted returns them for an Order that was started with a grant, even if that was
// removed.
func (b *Base) merchantOfStarted(ctx context.Context, order *v1alpha1.Order) (*v1alpha1.Merchant, *account.Account, error) {
	found, err := account.OfParticipant(ctx, b.Client, order)
	if err != nil {
		return nil, nil, err
	}
	return b.accountFor(ctx, order, found)
}

func (b *Base) accountFor(ctx context.Context, order *v1alpha1.Order, found *v1alpha1.Merchant) (*v1alpha1.Merchant, *account.Account, error) {
	if createdTooLate(order, found) {
		return nil, nil, &account.Problem{Reason: v1alpha1.ReasonMerchantNotReady, Message: fmt.Sprintf("Merchant %s is being deleted and accepts no new Orders", found.Name)}
	}
	acc, err := b.Registry.Get(ctx, found)
	if err == nil {
		if rejected := rejectedKey(found, acc); rejected != nil {
			return nil, nil, rejected
		}
		if problem := noCalls(found, acc); problem != nil {
			err = problem
		}
	}
	if problem, ok := account.AsProblem(err); ok && found.Namespace != order.Namespace {
		// Problems with Secrets of another namespace are shown only there.
		err = &account.Problem{Reason: problem.Reason, Message: fmt.Sprintf(
			"Merchant %s in namespace %s is not ready (%s); its owner can see the cause", found.Name, found.Namespace, problem.Reason)}
	}
	if err != nil {
		return nil, nil, err
	}
	return found, acc, nil
}

// createdTooLate reports whether an Order must not use a Merchant that is being deleted: it was not
// started, and was created after the deletion or has no finalizer.
func createdTooLate(order *v1alpha1.Order, found *v1alpha1.Merchant) bool {
	if !isDeleted(found) || lifecycle.Started(order) {
		return false
	}
	return !hasFinalizer(order) || order.CreationTimestamp.After(found.DeletionTimestamp.Time)
}

// rejectedKey stops all calls with a rejected key, until the Merchant's probe succeeds.
func rejectedKey(found *v1alpha1.Merchant, acc *account.Account) *account.Problem {
	if acc.Rejected() {
		return &account.Problem{Reason: v1alpha1.ReasonCredentialsRejected, Message: fmt.Sprintf(
			"WeChat Pay does not accept the %s of Merchant %s for its merchant number; nothing is sent until that is corrected", credentialName(acc), found.Name)}
	}
	return nil
}

// noCalls returns why no call can be made although the key can be used: the protocol signs every
// call with the API certificate, and that can't be used.
func noCalls(found *v1alpha1.Merchant, acc *account.Account) *account.Problem {
	switch {
	case !acc.LacksCertificateFor(wechatpay.OperationQueryOrder):
		return nil
	case acc.CertificateProblem != nil:
		return acc.CertificateProblem
	default:
		return &account.Problem{Reason: v1alpha1.ReasonInvalidCertificate, Message: fmt.Sprintf(
			"Protocol %s signs every call with the merchant's API certificate: set spec.certificateSecretRef of Merchant %s to a Secret of type kubernetes.io/tls with it", acc.Protocol, found.Name)}
	}
}

// merchantReason returns the reason of Prepared or Accepted for a problem of a Merchant.
func merchantReason(problem *account.Problem) string {
	if problem.Reason == v1alpha1.ReasonNotPermitted {
		return v1alpha1.ReasonNotPermitted
	}
	return v1alpha1.ReasonMerchantNotReady
}
