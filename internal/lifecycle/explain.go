package lifecycle

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// maxWords limits the length of the error in a message, so that the advice after it is never cut
// off.
const maxWords = 640

// Explain turns the error of an order or refund call into a condition: WeChat Pay's error text and
// what to do about it. The status is False only if this call certainly had no effect: it was not
// sent, or a signed response says so.
func Explain(err error) (metav1.ConditionStatus, string, string) {
	outcome, meaning := wechatpay.OutcomeOf(err), wechatpay.MeaningOf(err)
	switch outcome {
	case wechatpay.NotSent:
		switch meaning {
		case wechatpay.SlowDown:
			return metav1.ConditionFalse, v1alpha1.ReasonRateLimited, explained(err, "Nothing was sent; the operator retries automatically")
		case wechatpay.CertificateMissing:
			return metav1.ConditionFalse, v1alpha1.ReasonCertificateMissing, explained(err, "Set spec.certificateSecretRef of the Merchant to a Secret of type kubernetes.io/tls with the merchant's API certificate")
		default:
			return metav1.ConditionFalse, v1alpha1.ReasonNotSent, explained(err, whatToDo(meaning, "Nothing was sent; the operator retries automatically"))
		}
	case wechatpay.Refused:
		// An unsigned response proves nothing whatever its code, 频率限制 included, so it is not False.
		return metav1.ConditionUnknown, v1alpha1.ReasonRefused, explained(err, "The response carries no signature, so it proves nothing. "+whatToDoUnsigned(meaning))
	case wechatpay.Failed:
		switch meaning {
		case wechatpay.SlowDown:
			return metav1.ConditionFalse, v1alpha1.ReasonRateLimited, explained(err, "The operator retries after a pause")
		case wechatpay.InsufficientBalance:
			return metav1.ConditionFalse, v1alpha1.ReasonInsufficientBalance, explained(err, "Top up the merchant account; the operator then sends the refund again")
		default:
			return metav1.ConditionFalse, v1alpha1.ReasonRejected, explained(err, whatToDo(meaning, "The operator retries the same call slowly. If this persists, look up the order in the merchant platform (交易中心)"))
		}
	default:
		return metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown, explained(err, "It is unknown whether WeChat Pay executed the call. The operator retries it with the same number, so nothing is executed twice")
	}
}

// explained joins the error text and the advice into one message.
func explained(err error, advice string) string {
	return fmt.Sprintf("%s. %s", text.AtMost(maxWords, fmt.Sprint(err)), advice)
}

// whatToDoUnsigned gives no final advice: what an unsigned refusal says may be untrue.
func whatToDoUnsigned(meaning wechatpay.Meaning) string {
	if meaning == wechatpay.Rejected {
		return "The operator retries the same call slowly. If WeChat Pay goes on to refuse it, create another object with another name and corrected values"
	}
	return whatToDo(meaning, "The operator retries the same call slowly")
}

func whatToDo(meaning wechatpay.Meaning, otherwise string) string {
	switch meaning {
	case wechatpay.CredentialsRejected:
		return "WeChat Pay rejects the signature or does not know the merchant number: see the Merchant's condition Ready, or compare the API key or certificate in its Secret, and its spec.mchID, with the merchant platform (账户中心 → API安全)"
	case wechatpay.CertificateRejected:
		return "WeChat Pay rejects the client certificate: put the merchant's current API certificate into the Merchant's certificate Secret"
	case wechatpay.NoRight:
		return "The merchant number may not do this: grant it in the merchant platform (a service provider needs the sub merchant's grant, 服务商API退款; the IP allow-list counts too). The operator retries the same call slowly"
	case wechatpay.NotOffered:
		return "Nothing was sent; the operator tries again slowly, in case the Merchant's protocol changes"
	case wechatpay.NeedsAttention:
		return "Correct the settings in the merchant platform: bind the appid to the merchant number, and grant the product. Only a service provider needs spec.partner. The operator retries the same call slowly. If the Order names a wrong appid, create another Order"
	case wechatpay.Rejected:
		// The spec is immutable, so this object can't be corrected.
		return "WeChat Pay never accepts these values: create another object with another name and corrected values"
	case wechatpay.NumberUsed, wechatpay.AmountConflict:
		return "If the number was used for something else, create another object with another name"
	default:
		return otherwise
	}
}

// stillUnknown keeps the outcome unknown after a lost response or an unsigned refusal: a later
// response that proves nothing about the earlier call does not resolve it.
func stillUnknown(before, reason, message string) (string, string) {
	switch {
	case before == v1alpha1.ReasonRefused && reason == v1alpha1.ReasonRefused:
		return v1alpha1.ReasonRefused, message
	case before == v1alpha1.ReasonRefused:
		return v1alpha1.ReasonRefused, "WeChat Pay refused without a signature, and no retry has succeeded yet: " + message
	default:
		return v1alpha1.ReasonOutcomeUnknown, "A response from WeChat Pay was lost, and no retry has succeeded yet: " + message
	}
}

// isInDoubt reports whether the reason of a call means that WeChat Pay may have executed it.
func isInDoubt(reason string) bool {
	return reason == v1alpha1.ReasonOutcomeUnknown || reason == v1alpha1.ReasonRefused
}

// provesNothing reports whether a reason says nothing about the outcome of an earlier call.
func provesNothing(reason string) bool {
	switch reason {
	case v1alpha1.ReasonNotSent, v1alpha1.ReasonRefused, v1alpha1.ReasonRateLimited, v1alpha1.ReasonMerchantNotReady,
		v1alpha1.ReasonNotPermitted, v1alpha1.ReasonCertificateMissing, v1alpha1.ReasonOrderNotFound,
		v1alpha1.ReasonOrderNotPaid, v1alpha1.ReasonWaitingForTurn, v1alpha1.ReasonWriteRefused,
		v1alpha1.ReasonPolicyMissing, v1alpha1.ReasonPolicyNotVerified:
		return true
	default:
		return false
	}
}
