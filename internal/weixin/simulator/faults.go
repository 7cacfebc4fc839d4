package simulator

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// FaultKind names what goes wrong.
type FaultKind string

// The faults. They strike before the call takes effect, or after it with AfterEffect.
const (
	FaultDrop     FaultKind = "drop"     // the connection is reset, no answer
	FaultHang     FaultKind = "hang"     // no answer until the client gives up
	FaultDelay    FaultKind = "delay"    // the answer takes DelayMillis longer
	FaultBusy     FaultKind = "busy"     // errcode -1
	FaultError    FaultKind = "error"    // Errcode with Errmsg
	FaultHTML     FaultKind = "html"     // an HTML page with HTTP status Status (502)
	FaultRedirect FaultKind = "redirect" // 302 to Location
	// FaultTruncate lets the call take effect and sends half of the JSON.
	FaultTruncate FaultKind = "truncate"
	// FaultRevoke ends the access tokens of the mini program before the call.
	FaultRevoke FaultKind = "revoke"
)

var faultKinds = []FaultKind{
	FaultDrop, FaultHang, FaultDelay, FaultBusy, FaultError, FaultHTML, FaultRedirect, FaultTruncate, FaultRevoke,
}

// Fault is something that goes wrong with matching calls. If several match, the one added first
// strikes.
type Fault struct {
	// ID is set by AddFault.
	ID string `json:"id,omitempty"`
	// Operation is required. Number restricts the fault to calls whose body holds it, such as an
	// out_trade_no.
	Operation   Operation `json:"operation"`
	Number      string    `json:"number,omitempty"`
	Kind        FaultKind `json:"kind"`
	AfterEffect bool      `json:"after_effect,omitempty"`
	// Count is how many times the fault strikes; 0 is unlimited.
	Count int `json:"count,omitempty"`
	// Probability is the chance that the fault strikes; 0 means always.
	Probability float64 `json:"probability,omitempty"`
	// DelayMillis is not scaled.
	DelayMillis int64   `json:"delay_millis,omitempty"`
	Errcode     Errcode `json:"errcode,omitempty"`
	Errmsg      string  `json:"errmsg,omitempty"`
	Status      int     `json:"status,omitempty"`
	Location    string  `json:"location,omitempty"`
	// Struck counts how often the fault struck.
	Struck int `json:"struck"`
}

// AddFault adds a fault and returns it with its ID.
func (s *Simulator) AddFault(f Fault) (Fault, error) {
	operations := []Operation{
		OperationSession, OperationOAuth2, OperationToken, OperationUpload, OperationGetOrder, OperationManaged, OperationSendMessage,
	}
	switch {
	case !slices.Contains(operations, f.Operation):
		return Fault{}, fmt.Errorf("%w: operation %q", ErrInvalid, f.Operation)
	case !slices.Contains(faultKinds, f.Kind):
		return Fault{}, fmt.Errorf("%w: fault %q", ErrInvalid, f.Kind)
	case f.Kind == FaultError && f.Errcode == 0, f.Kind == FaultRedirect && f.Location == "":
		return Fault{}, fmt.Errorf("%w: fault %s needs its errcode or location", ErrInvalid, f.Kind)
	case !f.terms().InRange():
		return Fault{}, fmt.Errorf("%w: count, probability or delay_millis out of range", ErrInvalid)
	}
	return s.faults.Add(f), nil
}

func (f *Fault) terms() simulation.Terms {
	return simulation.Terms{ID: &f.ID, Struck: &f.Struck, Count: f.Count, Probability: f.Probability, DelayMillis: f.DelayMillis}
}

// Faults lists the faults, including exhausted ones.
func (s *Simulator) Faults() []Fault { return s.faults.List() }

// ClearFaults removes all faults, or the one with an ID.
func (s *Simulator) ClearFaults(id string) {
	if id != "" {
		s.faults.Remove(id)
		return
	}
	s.faults.Clear()
}

// strike picks the fault for a call, if any.
func (s *Simulator) strike(operation Operation, r *http.Request, body []byte) *Fault {
	struck := s.faults.Strike(func(f *Fault) bool {
		return f.Operation == operation && (f.Number == "" || bytes.Contains(body, []byte(strconv.Quote(f.Number))))
	})
	if struck != nil && struck.Kind == FaultRevoke {
		s.mu.Lock()
		defer s.mu.Unlock()
		if token := s.tokens[r.URL.Query().Get("access_token")]; token != nil {
			token.revoked = true
		}
	}
	return struck
}

// interrupt answers a call, or leaves it without an answer, in place of its result. It reports
// whether the call ends there.
func (s *Simulator) interrupt(w http.ResponseWriter, r *http.Request, noted *Call, f *Fault) bool {
	noted.Fault = f.Kind
	switch f.Kind {
	case FaultTruncate, FaultRevoke:
		return false
	case FaultDelay:
		if simulation.Delay(r, f.DelayMillis) {
			return false
		}
	case FaultBusy:
		s.answer(w, noted, nil, refuse(CodeBusy, "system error"), f)
		return true
	case FaultError:
		s.answer(w, noted, nil, failure{code: f.Errcode, message: f.Errmsg}, f)
		return true
	}
	s.record(*noted)
	switch f.Kind {
	case FaultHang:
		simulation.Hang(w, r)
	case FaultHTML:
		status := cmp.Or(f.Status, http.StatusBadGateway)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status))
	case FaultRedirect:
		http.Redirect(w, r, f.Location, http.StatusFound)
	default:
		simulation.DropConnection(w)
	}
	return true
}

// outcomeOf is an errcode, or the kind of the fault that prevented an answer.
func outcomeOf(call Call) string {
	if call.Fault != "" && call.Errcode == CodeOK {
		return string(call.Fault)
	}
	return strconv.Itoa(int(call.Errcode))
}
