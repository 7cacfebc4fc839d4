package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// result is what became of the good callbacks during one attack. Times are in milliseconds.
type result struct {
	Attack string `json:"attack"`
	What   string `json:"what"`
	// Good callbacks were sent; Succeeded of them were answered SUCCESS within WeChat's five seconds, and Refused with
	// something else, cleanly. The others got no answer. Paid is how many Orders the API server then had as paid.
	Good      int `json:"good"`
	Succeeded int `json:"succeeded"`
	Refused   int `json:"refused"`
	Paid      int `json:"paid"`
	// P50 and P99 are of those that succeeded, from the dialling to the answer.
	P50 float64 `json:"p50ms"`
	P99 float64 `json:"p99ms"`
	// Connections that attackers opened, requests of theirs that were answered, and with SUCCESS (never).
	Connections int64 `json:"attackConnections"`
	Answered    int64 `json:"attackAnswered"`
	Believed    int64 `json:"attackBelieved"`
	// LogLines and LogBytes were written meanwhile.
	LogLines int `json:"logLines"`
	LogBytes int `json:"logBytes"`

	took []time.Duration
}

func (r *result) add(a answer) {
	switch {
	case a.Succeeded:
		r.Succeeded++
		r.took = append(r.took, a.took)
	case a.Refused():
		r.Refused++
	}
}

func (r *result) attacked(t *tally) {
	r.Connections, r.Answered, r.Believed = t.connections.Load(), t.answered.Load(), t.succeeded.Load()
	slices.Sort(r.took)
	r.P50 = callback.Milliseconds(callback.Percentile(r.took, 50))
	r.P99 = callback.Milliseconds(callback.Percentile(r.took, 99))
}

func printTable(to io.Writer, results []result) {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nATTACK\tGOOD\tSUCCESS\tREFUSED\tPAID\tP50 MS\tP99 MS\tATTACKERS' CONNECTIONS\tREQUESTS\tSUCCESS\tLOG LINES\t")
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%d\t%d\t%d\t%d\t\n",
			r.Attack, r.Good, r.Succeeded, r.Refused, r.Paid, r.P50, r.P99, r.Connections, r.Answered, r.Believed, r.LogLines)
	}
	_ = table.Flush()
}

func writeJSON(file string, results []result) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
