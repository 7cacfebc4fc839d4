package framework

import (
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// Clock is the real clock, moved by a time that a test sets.
type Clock struct{ moved atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.moved.Load())) }

// Since returns how long ago a time was.
func (c *Clock) Since(at time.Time) time.Duration { return c.Now().Sub(at) }

// Move sets the clock forward.
func (c *Clock) Move(by time.Duration) { c.moved.Add(int64(by)) }

// Set sets the clock to a time, from which it goes on.
func (c *Clock) Set(to time.Time) { c.moved.Store(int64(time.Until(to))) }

// WithClocks gives clocks of their own to the operator and to WeChat Pay, so that days can pass.
func WithClocks(operators, weChats *Clock) Option {
	return func(s *Shop) {
		WithOptions(func(o *manager.Options) { o.Accounts.Clock = operators })(s)
		WithWeChat(func(o *simulator.Options) { o.Now = weChats.Now })(s)
	}
}

// NewStatement returns a Statement of the shop's Merchant.
func (s *Shop) NewStatement(name, date string, change ...func(*v1alpha1.Statement)) *v1alpha1.Statement {
	return changed(&v1alpha1.Statement{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name},
		Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: MerchantName}, Date: date},
	}, change)
}

// WaitStatement waits until a Statement has conditions in some states.
func (s *Shop) WaitStatement(name string, states ...string) *v1alpha1.Statement {
	s.T.Helper()
	statement := &v1alpha1.Statement{}
	s.Eventually("Statement "+name+" is as expected", func() error {
		if err := s.Client.Get(s.Context(), s.key(name), statement); err != nil {
			return err
		}
		for _, state := range states {
			if err := has(statement, state); err != nil {
				return err
			}
		}
		return nil
	})
	return statement
}
