package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// forwarder is a port at which the API server can be there or not.
type forwarder struct {
	t       *testing.T
	at, api string

	mutex       sync.Mutex
	listener    net.Listener
	connections []net.Conn
}

// newForwarder chooses a port, at which nothing listens yet.
func newForwarder(t *testing.T) *forwarder {
	f := &forwarder{t: t, at: freeAddress(t), api: strings.Trim(strings.TrimPrefix(env.Config.Host, "https:"), "/")}
	t.Cleanup(f.close)
	return f
}

// kubeconfig is one that leads to it.
func (f *forwarder) kubeconfig(user string, groups ...string) []byte {
	f.t.Helper()
	content, err := env.Kubeconfig(user, groups...)
	if err != nil {
		f.t.Fatal(err)
	}
	config, err := clientcmd.Load(content)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + f.at
	}
	if content, err = clientcmd.Write(*config); err != nil {
		f.t.Fatal(err)
	}
	return content
}

func (f *forwarder) open() {
	f.t.Helper()
	listener, err := net.Listen("tcp", f.at)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.listener = listener
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go f.forward(from)
		}
	}()
}

func (f *forwarder) forward(from net.Conn) {
	to, err := net.Dial("tcp", f.api)
	if err != nil {
		_ = from.Close()
		return
	}
	f.mutex.Lock()
	f.connections = append(f.connections, from, to)
	f.mutex.Unlock()
	go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}

func (f *forwarder) close() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.listener != nil {
		_ = f.listener.Close()
	}
	for _, connection := range f.connections {
		_ = connection.Close()
	}
}

// says waits until the program logged a text.
func (p *program) says(shop *framework.Shop, text string) {
	shop.T.Helper()
	shop.Eventually("the operator says: "+text, func() error {
		if !strings.Contains(p.output.String(), text) {
			return fmt.Errorf("it says:\n%s", p.output)
		}
		return nil
	})
}

func (p *program) becomesReady(shop *framework.Shop) {
	shop.T.Helper()
	shop.Eventually("the operator is ready", func() error {
		if err := p.probe(shop.T, "/readyz"); err != nil {
			return fmt.Errorf("%w:\n%s", err, p.output)
		}
		return nil
	})
}

// aliveNotReady is what keeps the kubelet from restarting the program, and load balancers from using it.
func (p *program) aliveNotReady(t *testing.T) {
	t.Helper()
	if err := p.probe(t, "/healthz"); err != nil {
		t.Errorf("not alive: %v", err)
	}
	if err := p.probe(t, "/readyz"); err == nil || !strings.HasPrefix(err.Error(), "503") {
		t.Errorf("/readyz: %v", err)
	}
	select {
	case err := <-p.ended:
		t.Fatalf("it ended with %v:\n%s", err, p.output)
	default:
	}
}

var waitingLine = regexp.MustCompile("Waiting to start")

// TestStartWaits for what a start needs. The kubelet would keep a process away for up to five minutes that ended instead.
func TestStartWaits(t *testing.T) {
	binary := build(t)
	shop := framework.Open(t, env, framework.WithoutOperator())

	t.Run("for the API server", func(t *testing.T) {
		server := newForwarder(t)
		p := start(t, binary, server.kubeconfig("late-"+shop.Namespace, "system:masters"), shop.Namespace)
		p.says(shop, "the API server does not respond")
		p.aliveNotReady(t)
		server.open()
		p.becomesReady(shop)
		if lines := waitingLine.FindAllString(p.output.String(), -1); len(lines) != 1 || !strings.Contains(p.output.String(), "Continuing the startup") {
			t.Errorf("%d lines:\n%s", len(lines), p.output)
		}
		p.terminate(t)
	})

	t.Run("and ends at once when it is told to", func(t *testing.T) {
		p := start(t, binary, newForwarder(t).kubeconfig("ended-"+shop.Namespace, "system:masters"), shop.Namespace)
		p.says(shop, "the API server does not respond")
		shop.Must(p.command.Process.Signal(syscall.SIGTERM))
		shop.Eventually("it has ended", func() error {
			select {
			case err := <-p.ended:
				shop.Must(err) // status 0
				return nil
			default:
				return errors.New("it goes on")
			}
		})
	})

	t.Run("for rights", func(t *testing.T) {
		server := newForwarder(t)
		server.open()
		user := "forbidden-" + shop.Namespace
		p := start(t, binary, server.kubeconfig(user), shop.Namespace)
		p.says(shop, "the operator may not list the kind Merchant")
		p.aliveNotReady(t)
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		}
		shop.Create(binding)
		t.Cleanup(func() { _ = shop.Client.Delete(shop.Context(), binding) })
		p.becomesReady(shop)
		p.terminate(t)
	})

	t.Run("for its kinds", func(t *testing.T) {
		gone := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "refunds.wechatpay-operator.io"}}
		admin, err := client.New(env.Config, client.Options{})
		shop.Must(err)
		shop.Must(apiextensionsv1.AddToScheme(admin.Scheme()))
		// What other tests left has finalizers, which no operator takes away any more.
		left := &v1alpha1.RefundList{}
		shop.Must(shop.Client.List(shop.Context(), left))
		for i := range left.Items {
			left.Items[i].Finalizers = nil
			shop.Must(client.IgnoreNotFound(shop.Client.Update(shop.Context(), &left.Items[i])))
		}
		shop.Must(admin.Delete(shop.Context(), gone))
		shop.Eventually("the kind is gone", func() error {
			err := admin.Get(shop.Context(), client.ObjectKeyFromObject(gone), gone)
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("not yet: %w", errors.Join(err, os.ErrExist))
		})
		server := newForwarder(t)
		p := start(t, binary, server.kubeconfig("early-"+shop.Namespace, "system:masters"), shop.Namespace)
		p.says(shop, "the API server does not respond")
		server.open()
		p.says(shop, "the API server does not serve the kind Refund")
		p.aliveNotReady(t)
		shop.Must(env.Apply(shop.Context(), "config/crd/bases/*.yaml"))
		p.becomesReady(shop)
		if lines := waitingLine.FindAllString(p.output.String(), -1); len(lines) != 2 {
			t.Errorf("%d lines:\n%s", len(lines), p.output)
		}
		p.terminate(t)
	})
}
