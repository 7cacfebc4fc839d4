package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// auditPolicy has kube-apiserver write down every request of the operator's, when it is answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:` + controlplane.OperatorNamespace + `:` + controlplane.OperatorServiceAccount + `"]
- level: None
`

// auditLog is what kube-apiserver writes.
type auditLog struct {
	policy, path string
}

func newAuditLog(folder string) (*auditLog, error) {
	l := &auditLog{policy: filepath.Join(folder, "policy.yaml"), path: filepath.Join(folder, "audit.log")}
	return l, os.WriteFile(l.policy, []byte(auditPolicy), 0o600)
}

func (l *auditLog) options() []controlplane.Option {
	return []controlplane.Option{func(c *envtest.ControlPlane) {
		c.GetAPIServer().Configure().Set("audit-policy-file", l.policy).Set("audit-log-path", l.path)
	}}
}

// requests counts requests by verb and resource, such as "update orders/status".
type requests map[string]int

// during counts the requests that are answered while something is done. A request is in the log before it is answered.
func (l *auditLog) during(do func() error) (requests, error) {
	before, err := os.Stat(l.path)
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(l.path)
	if err != nil {
		return nil, err
	}
	return countRequests(bytes.NewReader(content[before.Size():]))
}

func countRequests(log io.Reader) (requests, error) {
	counted := requests{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Resource    string `json:"resource"`
				Subresource string `json:"subresource"`
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("the audit log: %w", err)
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		// The Lease is renewed by the clock, whatever Orders there are.
		if resource != "" && resource != "leases" {
			counted[event.Verb+" "+resource]++
		}
	}
	return counted, lines.Err()
}

var (
	writing = []string{"create", "update", "patch", "delete"}
	reading = []string{"get", "list"}
)

func (r requests) writes() float64 { return r.sum(writing) }

func (r requests) reads() float64 { return r.sum(reading) }

func (r requests) sum(verbs []string) float64 {
	sum := 0
	for request, count := range r {
		if verb, _, _ := strings.Cut(request, " "); slices.Contains(verbs, verb) {
			sum += count
		}
	}
	return float64(sum)
}

// describe lists what was written, for each of so many.
func (r requests) describe(each int) string { return r.list(writing, each) }

// describeReads lists what was read.
func (r requests) describeReads(each int) string { return r.list(reading, each) }

func (r requests) list(verbs []string, each int) string {
	var parts []string
	for request, count := range r {
		if verb, _, _ := strings.Cut(request, " "); slices.Contains(verbs, verb) {
			parts = append(parts, fmt.Sprintf("%.2f %s", float64(count)/float64(each), request))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
