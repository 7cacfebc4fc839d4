package miniprogram

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
)

// Options configure a Registry.
type Options struct {
	// Hosts are those that MiniPrograms may name.
	Hosts     hosts.List
	UserAgent string
	Timeout   time.Duration
	Now       func() time.Time
}

// Registry creates the clients of MiniPrograms and keeps them, so that access tokens are reused.
type Registry struct {
	secrets client.Reader
	options Options
	proofs  transport.Proofs

	mutex    sync.Mutex
	accounts map[types.UID]*Account
	// slots limits the calls in flight.
	slots *callSlots
}

// Account is a MiniProgram that can be called.
type Account struct {
	*weixin.Client
	// Version changes with everything that the client is made of.
	Version string
}

// NewRegistry returns a Registry that reads Secrets from the API server.
func NewRegistry(secrets client.Reader, options Options) *Registry {
	return &Registry{secrets: secrets, options: options, accounts: map[types.UID]*Account{}, slots: newCallSlots()}
}

// Get returns the Account for the current spec and Secret of a MiniProgram. The error is an
// *account.Problem if it can't be used.
func (r *Registry) Get(ctx context.Context, m *v1alpha1.MiniProgram) (*Account, error) {
	host, problem := endpoint(m, r.options.Hosts)
	if problem != nil {
		return nil, problem
	}
	roots, problem := authorities(m)
	if problem != nil {
		return nil, problem
	}
	secret, err := r.appSecret(ctx, m)
	if err != nil {
		return nil, err
	}
	version := account.Checksum(m.Spec.AppID, secret, host.String(), string(bundleOf(m)))
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if known := r.accounts[m.UID]; known != nil {
		if known.Version == version {
			return known, nil
		}
		known.Close()
	}
	created := &Account{Version: version, Client: weixin.New(weixin.Settings{
		AppID: m.Spec.AppID, AppSecret: secret, Endpoint: host, RootCAs: roots, UserAgent: r.options.UserAgent,
		Timeout: r.options.Timeout, Trust: r.proofs.Under(bundleOf(m), isWeChats), Now: r.options.Now,
	})}
	r.accounts[m.UID] = created
	return created, nil
}

// Forget drops the client of a deleted MiniProgram.
func (r *Registry) Forget(uid types.UID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if known := r.accounts[uid]; known != nil {
		known.Close()
		delete(r.accounts, uid)
	}
}

// AcquireSlot takes a slot of the MiniPrograms of a namespace (owner) for calls that an object in a
// namespace needs. It returns false if none is free in time. release frees the slot.
func (r *Registry) AcquireSlot(ctx context.Context, owner, namespace string) (release func(), acquired bool) {
	return r.slots.acquire(ctx, owner, namespace)
}

// appSecret reads the AppSecret. The message does not say what is wrong with an entry: users who
// see the MiniProgram may not be allowed to read the Secret.
func (r *Registry) appSecret(ctx context.Context, m *v1alpha1.MiniProgram) (string, error) {
	reference := m.Spec.AppSecretRef
	secret, err := account.ReadSecret(ctx, r.secrets, m.Namespace, reference.Name, "the AppSecret", "spec.appSecretRef")
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(secret.Data[reference.Key]), "\uFEFF"))
	if text == "" {
		return "", &account.Problem{Reason: v1alpha1.ReasonCredentialsRejected, Message: fmt.Sprintf(
			"The entry %q of Secret %s/%s can't be used as an AppSecret: write the AppSecret of the mini program there, as mp.weixin.qq.com shows it once", reference.Key, m.Namespace, reference.Name)}
	}
	return text, nil
}
