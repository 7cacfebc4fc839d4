package simulator

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// Operations to which a kind of fault applies.
var (
	errorFaults = []FaultKind{FaultDrop, FaultHang, FaultDelay, FaultHTML, FaultSystemError, FaultFrequencyLimited,
		FaultRateLimited, FaultNotEnough, FaultNeedRetry, FaultError, FaultFail}
	spoiledReplies = []FaultKind{FaultTruncate, FaultCut, FaultBadSignature, FaultUnsigned, FaultExtraFields, FaultSignTest,
		FaultUnknownSerial}
	// Faults of replies that contain a number, and of replies that contain a trade_state.
	numberedReplies = []FaultKind{FaultWrongNumber, FaultWrongSubMchID}
	statedReplies   = []FaultKind{FaultSparse}
	// billFaults are those of bills, and billFileFaults those of the file alone.
	billFaults     = []FaultKind{FaultOtherMerchant, FaultRenamedColumn, FaultWrongDigest}
	billFileFaults = []FaultKind{FaultTruncate, FaultCut}
	refundOutcomes = []FaultKind{FaultRefundChange, FaultRefundClose, FaultRefundHold}
	anyCallback    = []FaultKind{FaultLose, FaultDelay, FaultDuplicate, FaultForge, FaultWrongAmount, FaultWrongMchID,
		FaultIgnoreAnswer, FaultExtraFields, FaultWrongSubMchID}
	// callbackV3 are the faults of callbacks that are signed with RSA keys and encrypted.
	callbackV3      = []FaultKind{FaultSignTest, FaultUnknownSerial, FaultReplay, FaultWrongKey, FaultUnsigned, FaultWrongCurrency}
	paymentCallback = []FaultKind{FaultUnsigned, FaultMD5, FaultWrongCurrency}
)

// kind is that of the fault that struck; empty if none did.
func (f *Fault) kind() FaultKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

func isRefundOutcome(kind FaultKind) bool { return slices.Contains(refundOutcomes, kind) }

// isReplyFault reports whether a fault affects a reply; a refund's outcome combines with those
// faults.
func isReplyFault(kind FaultKind) bool { return !isRefundOutcome(kind) }

func isAnyFault(FaultKind) bool { return true }

func checkFault(f Fault) error {
	var possible []FaultKind
	switch f.Operation {
	case OperationUnifiedOrder, OperationCloseOrder:
		possible = slices.Concat(errorFaults, spoiledReplies)
	case OperationOrderQuery:
		possible = slices.Concat(errorFaults, spoiledReplies, numberedReplies, statedReplies)
	case OperationRefundQuery:
		possible = slices.Concat(errorFaults, spoiledReplies, numberedReplies)
	case OperationRefund:
		possible = slices.Concat(errorFaults, spoiledReplies, numberedReplies, refundOutcomes)
	case OperationPaymentCallback:
		possible = slices.Concat(anyCallback, paymentCallback)
	case OperationRefundCallback:
		possible = anyCallback
	case OperationCertificates:
		possible = slices.Concat(errorFaults, spoiledReplies)
	case OperationAbnormalRefund:
		possible = slices.Concat(errorFaults, spoiledReplies, numberedReplies)
	case OperationTradeBill, OperationFundBill:
		possible = slices.Concat(errorFaults, spoiledReplies, billFaults)
	case OperationBillFile:
		possible = slices.Concat(errorFaults, billFileFaults)
	default:
		return fmt.Errorf("%w: operation %q", ErrInvalid, f.Operation)
	}
	if f.Protocol != ProtocolV2 && (f.Operation == OperationPaymentCallback || f.Operation == OperationRefundCallback) {
		possible = slices.Concat(possible, callbackV3)
	}
	if f.Operation == OperationRefundCallback && f.Protocol == "" { // API v2 signs no refund callbacks
		possible = slices.DeleteFunc(slices.Clone(possible), func(kind FaultKind) bool {
			return kind == FaultUnsigned || kind == FaultWrongCurrency
		})
	}
	switch {
	case f.Protocol != "" && f.Protocol != ProtocolV2 && f.Protocol != ProtocolV3:
		return fmt.Errorf("%w: protocol %q", ErrInvalid, f.Protocol)
	case !slices.Contains(possible, f.Kind):
		return fmt.Errorf("%w: fault %q does not happen to %s", ErrInvalid, f.Kind, f.Operation)
	case f.Host != "" && f.Host != HostPrimary && f.Host != HostBackup:
		return fmt.Errorf("%w: host %q", ErrInvalid, f.Host)
	case !f.terms().InRange():
		return fmt.Errorf("%w: count, probability or delay_millis out of range", ErrInvalid)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("%w: status %d", ErrInvalid, f.Status)
	case f.Kind == FaultError && f.ErrCode == "", f.Kind == FaultFail && f.ReturnMsg == "":
		return fmt.Errorf("%w: fault %s needs its code or message", ErrInvalid, f.Kind)
	}
	return nil
}

// AddFault adds a fault and returns it with its ID.
func (s *Simulator) AddFault(f Fault) (Fault, error) {
	if err := checkFault(f); err != nil {
		return Fault{}, err
	}
	f.Fields = maps.Clone(f.Fields)
	return s.faults.Add(f), nil
}

func (f *Fault) terms() simulation.Terms {
	return simulation.Terms{
		ID: &f.ID, Struck: &f.Struck, Count: f.Count, Probability: f.Probability, Seed: f.Seed, DelayMillis: f.DelayMillis,
	}
}

// Faults lists the faults, including exhausted ones.
func (s *Simulator) Faults() []Fault {
	out := s.faults.List()
	for i := range out {
		out[i].Fields = maps.Clone(out[i].Fields)
	}
	return out
}

// RemoveFault removes one fault and reports whether it existed.
func (s *Simulator) RemoveFault(id string) bool { return s.faults.Remove(id) }

// ClearFaults removes all faults.
func (s *Simulator) ClearFaults() { s.faults.Clear() }

// strike picks the fault for a call, if any.
func (s *Simulator) strike(c *call, kinds func(FaultKind) bool) *Fault {
	return s.faults.Strike(func(f *Fault) bool { return f.matches(c) && kinds(f.Kind) })
}

func (f *Fault) matches(c *call) bool {
	return f.Operation == c.operation && (f.Protocol == "" || f.Protocol == c.protocol) &&
		(f.Host == "" || f.Host == c.host) && (f.MchID == "" || f.MchID == c.mchID) && (f.Number == "" || f.Number == c.number)
}

// faultFailures are the faults that only replace the reply.
var faultFailures = map[FaultKind]error{
	FaultSystemError:      errSystem,
	FaultFrequencyLimited: errFrequencyLimited,
	FaultRateLimited:      errRateLimited,
	FaultNotEnough:        errNotEnough,
	FaultNeedRetry:        errNeedRetry,
}

// interrupt replies to a call, or leaves it without a reply, in place of its result. It reports
// whether the call ends there.
func (s *Simulator) interrupt(w http.ResponseWriter, r *http.Request, wired wireCall, f *Fault) bool {
	c := wired.common()
	switch f.Kind {
	case FaultDelay:
		if simulation.Delay(r, f.DelayMillis) {
			return false
		}
		fallthrough
	case FaultDrop:
		s.record(c, string(f.Kind), f.Kind)
		simulation.DropConnection(w)
	case FaultHang:
		s.record(c, string(f.Kind), f.Kind)
		simulation.Hang(w, r)
	case FaultHTML:
		s.noteRefused(c, f)
		s.record(c, string(f.Kind), f.Kind)
		status := cmp.Or(f.Status, http.StatusBadGateway)
		writeHTML(w, status, strconv.Itoa(status)+" "+http.StatusText(status))
	default:
		err := f.asError()
		if err == nil {
			return false
		}
		s.noteRefused(c, f)
		wired.send(s, w, nil, err, f)
	}
	return true
}

func (f *Fault) asError() error {
	switch f.Kind {
	case FaultError: // API v3 says it in its own words
		return failure{code: f.ErrCode, description: f.ErrCodeDes}
	case FaultFail:
		return refusal{code: f.ReturnCode, message: f.ReturnMsg}
	}
	return faultFailures[f.Kind]
}
