package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/hack/internal/process"
)

// The identity under which the operator runs, in a cluster as here.
const (
	operatorNamespace      = "wechatpay-operator-system"
	operatorServiceAccount = "wechatpay-operator-controller-manager"
)

// replica is one process of the operator.
type replica struct {
	*child
	metrics, health string
}

// startOperators starts two replicas under the ServiceAccount's rights, with the front before them.
func startOperators(ctx context.Context, c *controlPlane, program string, admin client.Client) ([]*replica, *front, error) {
	token, err := operatorToken(ctx, admin)
	if err != nil {
		return nil, nil, err
	}
	kubeconfig, err := c.kubeconfig("operator", token, operatorNamespace)
	if err != nil {
		return nil, nil, err
	}
	var addresses [6]string
	for i := range addresses {
		if addresses[i], err = process.FreeAddress(); err != nil {
			return nil, nil, err
		}
	}
	output, err := os.Create(filepath.Join(c.folder, "front.log"))
	if err != nil {
		return nil, nil, err
	}
	front, err := openFront(log.New(output, "", log.LstdFlags), addresses[0], addresses[1])
	if err != nil {
		return nil, nil, err
	}
	var replicas []*replica
	for i := range 2 {
		r := &replica{metrics: "http://" + addresses[2+i] + "/metrics", health: "http://" + addresses[4+i] + "/readyz"}
		r.child = newChild(c.folder, fmt.Sprintf("operator-%d", i+1), program,
			"--kubeconfig="+kubeconfig, "--leader-elect", "--leader-election-namespace="+operatorNamespace,
			"--notify-bind-address="+addresses[i], "--notify-base-url="+front.url,
			"--metrics-bind-address="+addresses[2+i], "--metrics-secure=false",
			"--health-probe-bind-address="+addresses[4+i], "--zap-log-level=info")
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

func operatorToken(ctx context.Context, admin client.Client) (string, error) {
	seconds := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorServiceAccount}}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("a token for %s/%s: %w", operatorNamespace, operatorServiceAccount, err)
	}
	return request.Status.Token, nil
}

var leads = regexp.MustCompile(`(?m)^leader_election_master_status\{[^}]*\} 1$`)

// isLeader asks a replica whether it leads. One that does not answer is not known to.
func (r *replica) isLeader(ctx context.Context) bool {
	metrics, err := get(ctx, r.metrics)
	return err == nil && leads.Match(metrics)
}

// The marks of a process that broke, in its log.
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
