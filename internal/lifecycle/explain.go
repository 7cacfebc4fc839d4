package lifecycle

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// maxWords bounds what an error says in a message, so that the advice after it is never cut off.
const maxWords = 640

// Explain turns the error of a money call into a condition: WeChat's words, and what to do about it. False means that it is
// known that this call did nothing: it was not sent, or a signed answer says so.
func Explain(err error) (metav1.ConditionStatus, string, string) {
	outcome, meaning := wechatpay.OutcomeOf(err), wechatpay.MeaningOf(err)
	switch outcome {
	case wechatpay.NotSent:
		switch meaning {
		case wechatpay.SlowDown:
			return metav1.ConditionFalse, v1alpha1.ReasonRateLimited, explained(err, "Nothing was sent; it is repeated by itself")
		case wechatpay.CertificateMissing:
			return metav1.ConditionFalse, v1alpha1.ReasonCertificateMissing, explained(err, "Set spec.certificateSecretRef of the Merchant to a Secret of type kubernetes.io/tls with the merchant's API certificate")
		default:
			return metav1.ConditionFalse, v1alpha1.ReasonNotSent, explained(err, whatToDo(meaning, "Nothing was sent; it is repeated by itself"))
		}
	case wechatpay.Refused:
		// Whatever it means, 频率限制 included: without a signature it proves nothing, so it is not False.
		return metav1.ConditionUnknown, v1alpha1.ReasonRefused, explained(err, "The answer carries no signature, so nothing is concluded from it. "+whatToDo(meaning, "The same call is repeated slowly"))
	case wechatpay.Failed:
		switch meaning {
		case wechatpay.SlowDown:
			return metav1.ConditionFalse, v1alpha1.ReasonRateLimited, explained(err, "It is repeated by itself, after a pause")
		case wechatpay.InsufficientBalance:
			return metav1.ConditionFalse, v1alpha1.ReasonInsufficientBalance, explained(err, "Top up the merchant account; the refund is then sent again by itself")
		default:
			return metav1.ConditionFalse, v1alpha1.ReasonRejected, explained(err, whatToDo(meaning, "The same call is repeated slowly; if this stays, look the order up in the merchant platform (交易中心)"))
		}
	default:
		return metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown, explained(err, "Whether WeChat Pay did it is not known. The same call is repeated with the same number, so nothing is done twice")
	}
}

// explained joins WeChat's words and the advice into one message.
func explained(err error, advice string) string {
	return fmt.Sprintf("%s. %s", text.AtMost(maxWords, fmt.Sprint(err)), advice)
}

func whatToDo(meaning wechatpay.Meaning, otherwise string) string {
	switch meaning {
	case wechatpay.CredentialsRejected:
		return "WeChat Pay does not take the signature: compare the API key in the Merchant's Secret with the one in the merchant platform (APIv2 密钥)"
	case wechatpay.CertificateRejected:
		return "WeChat Pay does not take the client certificate: put the merchant's current API certificate into the Merchant's certificate Secret"
	case wechatpay.NeedsAttention:
		return "Set it right in the merchant platform: the appid must be bound to the merchant number, and the product granted. The same call is repeated slowly. If the Order names a wrong appid, create another Order"
	case wechatpay.Rejected:
		// The spec is immutable, so what is wrong with it can't be set right in this object.
		return "With these values it is never taken: create another one, with another name and other values"
	case wechatpay.NumberUsed, wechatpay.AmountConflict:
		return "If the number was used for something else, create another one with another name"
	default:
		return otherwise
	}
}

// stillUnknown keeps the doubt that a lost answer, or a refusal without signature, left: an answer that proves nothing about
// the call before does not end it.
func stillUnknown(before, reason, message string) (string, string) {
	switch {
	case before == v1alpha1.ReasonRefused && reason == v1alpha1.ReasonRefused:
		return v1alpha1.ReasonRefused, message
	case before == v1alpha1.ReasonRefused:
		return v1alpha1.ReasonRefused, "WeChat Pay refused without a signature, and asking again did not work yet: " + message
	default:
		return v1alpha1.ReasonOutcomeUnknown, "An answer of WeChat Pay was lost, and asking again did not work yet: " + message
	}
}

// provesNothing lists the reasons that say nothing about a call made before.
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
