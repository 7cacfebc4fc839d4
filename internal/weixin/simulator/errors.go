package simulator

import (
	"errors"
	"fmt"
)

// Errors of the methods that play the payer and the platform.
var (
	ErrNotFound = errors.New("not found")
	ErrInvalid  = errors.New("invalid")
)

// Errcode is WeChat's number of a failure.
type Errcode int

// The errcodes of login and of access tokens.
const (
	CodeOK                Errcode = 0
	CodeBusy              Errcode = -1
	CodeInvalidCredential Errcode = 40001 // an access token that is not the latest, or a wrong AppSecret
	CodeInvalidGrantType  Errcode = 40002
	CodeInvalidOpenID     Errcode = 40003
	CodeInvalidAppID      Errcode = 40013
	CodeInvalidToken      Errcode = 40014
	CodeInvalidCode       Errcode = 40029
	CodeInvalidTemplate   Errcode = 40037
	CodeInvalidSecret     Errcode = 40125
	CodeUsedCode          Errcode = 40163
	CodeAddressNotAllowed Errcode = 40164
	CodeHighRisk          Errcode = 40226
	CodeMissingToken      Errcode = 41001
	CodeMissingAppID      Errcode = 41002
	CodeMissingSecret     Errcode = 41004
	CodeMissingCode       Errcode = 41008
	CodeExpiredToken      Errcode = 42001
	CodeWantsGET          Errcode = 43001
	CodeWantsPOST         Errcode = 43002
	CodeNotSubscribed     Errcode = 43101
	CodeDailyQuota        Errcode = 45009
	CodeTooFast           Errcode = 45011
	CodeMalformed         Errcode = 47001
	CodeInvalidArgument   Errcode = 47003
	CodeNotAuthorized     Errcode = 48001
)

// The errcodes of order shipping management.
const (
	CodePaymentNotFound       Errcode = 10060001
	CodeAlreadyShipped        Errcode = 10060002
	CodeReshipUsed            Errcode = 10060003
	CodeNotShippable          Errcode = 10060004
	CodeLogisticsType         Errcode = 10060005
	CodeSplitIsExpress        Errcode = 10060006
	CodeAllDeliveredMissing   Errcode = 10060007
	CodeItemDescEmpty         Errcode = 10060008
	CodeItemDescTooLong       Errcode = 10060009
	CodeParameter             Errcode = 10060014
	CodeNothingChanged        Errcode = 10060023
	CodeListTooLong           Errcode = 10060024
	CodeCompanyTooLong        Errcode = 10060025
	CodeTrackingTooLong       Errcode = 10060026
	CodeNotOfPayer            Errcode = 10060031
	CodeNumberType            Errcode = 268485194
	CodeTransactionMissing    Errcode = 268485195
	CodeMchIDMissing          Errcode = 268485196
	CodeOutTradeNoMissing     Errcode = 268485197
	CodeUploadTime            Errcode = 268485216
	CodeDeliveryMode          Errcode = 268485224
	CodeTrackingMissing       Errcode = 268485226
	CodeCompanyMissing        Errcode = 268485227
	CodeUnifiedNeedsOneParcel Errcode = 268485228
)

// failure is a refusal in WeChat's words.
type failure struct {
	code    Errcode
	message string
}

func (f failure) Error() string { return fmt.Sprintf("%d %s", f.code, f.message) }

func refuse(code Errcode, format string, arguments ...any) error {
	return failure{code: code, message: fmt.Sprintf(format, arguments...)}
}
