package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/ingress"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// replica is one process of the operator.
type replica struct {
	*child
	metrics, health string
}

// startOperators starts two replicas with the ServiceAccount's permissions, behind an ingress.
func startOperators(ctx context.Context, c *controlPlane, books *database, program string, admin client.Client) ([]*replica, *ingress.Ingress, error) {
	var err error
	if c.tokens[operatorAccount], err = controlplane.ServiceAccountToken(ctx, admin, controlplane.OperatorNamespace, controlplane.OperatorServiceAccount); err != nil {
		return nil, nil, err
	}
	kubeconfig, err := c.kubeconfig(operatorAccount, controlplane.OperatorNamespace)
	if err != nil {
		return nil, nil, err
	}
	addresses, err := process.FreeAddresses(6)
	if err != nil {
		return nil, nil, err
	}
	front, err := ingress.Open(filepath.Join(c.folder, "ingress.log"), addresses[0], addresses[1])
	if err != nil {
		return nil, nil, err
	}
	var replicas []*replica
	for i := range 2 {
		r := &replica{metrics: "http://" + addresses[2+i] + "/metrics", health: "http://" + addresses[4+i] + "/readyz"}
		r.child = newChild(c.folder, fmt.Sprintf("operator-%d", i+1), program, append(books.operatorFlags(),
			"--kubeconfig="+kubeconfig, "--leader-elect", "--leader-election-namespace="+controlplane.OperatorNamespace,
			"--notify-bind-address="+addresses[i], "--notify-base-url="+front.URL, "--endpoint-hosts=127.0.0.1", "--event-hosts=127.0.0.1",
			"--metrics-bind-address="+addresses[2+i], "--metrics-secure=false",
			"--health-probe-bind-address="+addresses[4+i], "--zap-log-level=info")...)
		if err := r.start(); err != nil {
			return replicas, front, err
		}
		replicas = append(replicas, r)
	}
	for _, r := range replicas {
		if err := await(ctx, r.name, func(ctx context.Context) error { _, err := get(ctx, r.health); return err }); err != nil {
			return replicas, front, err
		}
	}
	return replicas, front, nil
}

var leads = regexp.MustCompile(`(?m)^leader_election_master_status\{[^}]*\} 1$`)

// isLeader asks a replica whether it is the leader; false if it does not respond.
func (r *replica) isLeader(ctx context.Context) bool {
	metrics, err := get(ctx, r.metrics)
	return err == nil && leads.Match(metrics)
}

// Texts in the log of a process that failed.
var broke = [][]byte{[]byte("panic:"), []byte("fatal error:"), []byte("DATA RACE"), []byte("Observed a panic")}

func (r *replica) crashes() (int, error) {
	content, err := os.ReadFile(r.log)
	count := 0
	for _, mark := range broke {
		count += bytes.Count(content, mark)
	}
	return count, err
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return body, err
}
