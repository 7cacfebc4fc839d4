package performance

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// auditPolicy has kube-apiserver log every request of the operator's, when it is answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:` + controlplane.OperatorNamespace + `:` + controlplane.OperatorServiceAccount + `"]
- level: None
`

// requests counts requests by verb and resource, such as "update orders/status".
type requests map[string]int

// requestsOf counts the operator's requests that are answered while something is done. A request is in the log before
// it is answered.
func (s *stage) requestsOf(do func()) requests {
	before, err := os.Stat(s.file("audit.log"))
	s.must(err)
	do()
	log, err := os.ReadFile(s.file("audit.log"))
	s.must(err)
	counted, err := countRequests(string(log[before.Size():]))
	s.must(err)
	return counted
}

func countRequests(log string) (requests, error) {
	counted := requests{}
	for line := range strings.Lines(log) {
		var event struct {
			Verb      string
			ObjectRef struct{ Resource, Subresource string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			return nil, fmt.Errorf("the audit log: %w", err)
		}
		resource := strings.TrimSuffix(event.ObjectRef.Resource+"/"+event.ObjectRef.Subresource, "/")
		// The Lease is renewed by the clock, whatever Orders there are.
		if resource != "" && resource != "leases" {
			counted[event.Verb+" "+resource]++
		}
	}
	return counted, nil
}

// of sums up and lists the requests with some verbs, for each of so many.
func (r requests) of(each float64, verbs ...string) (sum float64, list string) {
	var parts []string
	for request, count := range r {
		if verb, _, _ := strings.Cut(request, " "); slices.Contains(verbs, verb) {
			sum += float64(count)
			parts = append(parts, fmt.Sprintf("%.2f %s", float64(count)/each, request))
		}
	}
	slices.Sort(parts)
	return sum / each, strings.Join(parts, ", ")
}

func TestRequestsAreCounted(t *testing.T) {
	got, err := countRequests(`{"verb":"update","objectRef":{"resource":"orders","subresource":"status","namespace":"a","name":"b"}}
{"verb":"update","objectRef":{"resource":"orders","subresource":"status"}}
{"verb":"patch","objectRef":{"resource":"orders"}}
{"verb":"get","objectRef":{"resource":"secrets"}}
{"verb":"watch","objectRef":{"resource":"orders"}}
{"verb":"update","objectRef":{"resource":"leases"}}
{"verb":"get","requestURI":"/api"}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := requests{"update orders/status": 2, "patch orders": 1, "get secrets": 1, "watch orders": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sum, list := got.of(2, "update", "patch"); sum != 1.5 || list != "0.50 patch orders, 1.00 update orders/status" {
		t.Error(sum, list)
	}
	if _, err := countRequests("torn"); err == nil {
		t.Error("a line that is no JSON was taken")
	}
}
