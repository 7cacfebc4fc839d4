// Package controlplane starts a real kube-apiserver and etcd with the operator's CRDs, policies and
// roles, for tests, the demo and benchmarks. The binaries come from KUBEBUILDER_ASSETS, or from
// bin/k8s, where `make control-plane` builds them.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Environment is a running control plane.
type Environment struct {
	// Config authenticates as an administrator (system:masters).
	Config *rest.Config
	// Client reads and writes as that administrator, without a cache.
	Client client.Client

	env   *envtest.Environment
	users sync.Mutex

	operatorOnce sync.Once
	operator     *rest.Config
	operatorErr  error
}

// Scheme returns a scheme with the built-in and the operator's kinds.
func Scheme() *k8sruntime.Scheme {
	scheme := k8sruntime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Option configures a control plane before it starts.
type Option func(*envtest.ControlPlane)

// Start starts a control plane and installs the CRDs.
func Start(options ...Option) (*Environment, error) {
	assets, err := Assets()
	if err != nil {
		return nil, err
	}
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join(Root(), "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	for _, option := range options {
		option(&env.ControlPlane)
	}
	config, err := env.Start()
	if err != nil {
		// Components that did start must not outlive this process.
		return nil, errors.Join(fmt.Errorf("starting the control plane from %s: %w", assets, err), env.Stop())
	}
	// Disables client-side rate limiting, which would slow down tests and demos.
	config.QPS = -1
	admin, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, errors.Join(err, env.Stop())
	}
	return &Environment{Config: config, Client: admin, env: env}, nil
}

// Stop stops the control plane and removes its data.
func (e *Environment) Stop() error { return e.env.Stop() }

// EtcdURL is etcd's client URL, without authentication.
func (e *Environment) EtcdURL() string { return e.env.ControlPlane.Etcd.URL.String() }

// User returns the configuration of a user that authenticates with a client certificate and has
// only the permissions that RBAC grants to its name and groups.
func (e *Environment) User(name string, groups ...string) (*rest.Config, error) {
	user, err := e.addUser(name, groups)
	if err != nil {
		return nil, err
	}
	return user.Config(), nil
}

// addUser issues one certificate at a time: envtest's CA counts them without a lock, and tests run
// in parallel.
func (e *Environment) addUser(name string, groups []string) (*envtest.AuthenticatedUser, error) {
	e.users.Lock()
	defer e.users.Unlock()
	user, err := e.env.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: -1})
	if err != nil {
		return nil, fmt.Errorf("adding user %s: %w", name, err)
	}
	return user, nil
}

// Kubeconfig returns the content of a kubeconfig file for a user.
func (e *Environment) Kubeconfig(name string, groups ...string) ([]byte, error) {
	user, err := e.addUser(name, groups)
	if err != nil {
		return nil, err
	}
	return user.KubeConfig()
}

// Apply creates the objects of YAML files of the repository, such as config/policy/*.yaml. Existing
// objects are left unchanged.
func (e *Environment) Apply(ctx context.Context, patterns ...string) error {
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(Root(), pattern))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("no file matches %s", pattern)
		}
		for _, file := range files {
			if err := e.applyFile(ctx, file); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

func (e *Environment) applyFile(ctx context.Context, file string) error {
	if filepath.Base(file) == "kustomization.yaml" {
		return nil
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	objects, err := Decode(content)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := e.Client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// Root returns the repository's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// Assets returns the folder of the control plane's binaries.
func Assets() (string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		return assets, nil
	}
	assets := filepath.Join(Root(), "bin", "k8s")
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		return "", fmt.Errorf("no kube-apiserver in %s: run `make control-plane`, or set KUBEBUILDER_ASSETS", assets)
	}
	return assets, nil
}
