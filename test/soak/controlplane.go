package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// Users of the API server. All but the admin have the permissions of config/rbac.
const (
	admin           = "admin"
	approver        = "wang"
	operatorAccount = "operator"
)

// controlPlane is etcd and kube-apiserver with fixed ports and data, so that each may be killed and
// restarted.
type controlPlane struct {
	folder    string
	etcdURL   string
	address   string
	etcd      *child
	apiserver *child
	tokens    map[string]string
	authority []byte
}

// startControlPlane starts both and waits until they serve.
func startControlPlane(ctx context.Context, folder, assets string) (*controlPlane, error) {
	c := &controlPlane{folder: folder, tokens: map[string]string{}}
	addresses, err := process.FreeAddresses(3)
	if err != nil {
		return nil, err
	}
	c.etcdURL, c.address = "http://"+addresses[0], addresses[2]
	peers := "http://" + addresses[1]
	c.etcd = newChild(folder, "etcd", filepath.Join(assets, "etcd"),
		"--data-dir="+filepath.Join(folder, "etcd"), "--listen-client-urls="+c.etcdURL, "--advertise-client-urls="+c.etcdURL,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers, "--log-level=warn")
	if err := c.etcd.start(); err != nil {
		return c, err
	}
	if err := c.startAPIServer(assets); err != nil {
		return c, err
	}
	return c, c.awaitReady(ctx)
}

func (c *controlPlane) startAPIServer(assets string) error {
	key, err := c.writeServiceAccountKey()
	if err != nil {
		return err
	}
	tokens, err := c.writeTokens()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return err
	}
	c.apiserver = newChild(c.folder, "kube-apiserver", filepath.Join(assets, "kube-apiserver"),
		"--etcd-servers="+c.etcdURL,
		"--etcd-compaction-interval=0", // the judge reads the whole history
		"--bind-address=127.0.0.1", "--endpoint-reconciler-type=none", "--secure-port="+port,
		"--cert-dir="+filepath.Join(c.folder, "certificates"), // self-signed at the first start, then kept
		"--authorization-mode=RBAC", "--token-auth-file="+tokens, "--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--service-cluster-ip-range=10.0.0.0/24", "--shutdown-delay-duration=0s")
	return c.apiserver.start()
}

func (c *controlPlane) writeServiceAccountKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.folder, "service-account.key")
	return path, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

func (c *controlPlane) writeTokens() (string, error) {
	var lines strings.Builder
	users := map[string]string{admin: "system:masters", approver: ""}
	for _, user := range shops() {
		users[user] = ""
	}
	for user, groups := range users {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails
		c.tokens[user] = hex.EncodeToString(random)
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", c.tokens[user], user, user, groups)
	}
	path := filepath.Join(c.folder, "tokens.csv")
	return path, os.WriteFile(path, []byte(lines.String()), 0o600)
}

// awaitReady waits until the API server reports that it is ready.
func (c *controlPlane) awaitReady(ctx context.Context) error {
	return await(ctx, "kube-apiserver, see "+c.apiserver.log, c.ready)
}

func (c *controlPlane) ready(ctx context.Context) error {
	authority, err := os.ReadFile(filepath.Join(c.folder, "certificates", "apiserver.crt"))
	if err != nil {
		return err // the API server creates it at its start
	}
	c.authority = authority
	transport, err := rest.TransportFor(c.config(admin))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.address+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(body))
	}
	return err
}

// config returns a user's configuration. Every call has a timeout, because the API server may be
// down.
func (c *controlPlane) config(user string) *rest.Config {
	return &rest.Config{
		Host: "https://" + c.address, BearerToken: c.tokens[user], QPS: -1, Timeout: 10 * time.Second,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.authority},
	}
}

func (c *controlPlane) client(user string) (client.Client, error) {
	return client.New(c.config(user), client.Options{Scheme: controlplane.Scheme()})
}

// kubeconfig writes a kubeconfig with one user.
func (c *controlPlane) kubeconfig(user, namespace string) (string, error) {
	path := filepath.Join(c.folder, user+".kubeconfig")
	return path, controlplane.WriteKubeconfig(path, c.config(user), namespace)
}

// install applies an installation's manifests.
func (c *controlPlane) install(ctx context.Context, assets string) error {
	config, err := c.kubeconfig(admin, "default")
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, filepath.Join(assets, "kubectl"), "--kubeconfig", config, "apply", "--server-side", "-k", "config/default")
	command.Dir = controlplane.Root()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply -k config/default: %w\n%s", err, output)
	}
	return nil
}

func (c *controlPlane) close() error {
	var errs []error
	for _, part := range []*child{c.apiserver, c.etcd} {
		if part != nil {
			errs = append(errs, part.close())
		}
	}
	return errors.Join(errs...)
}
