package plugin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// testPayment has the flags of pay.
type testPayment struct {
	merchant, name, description string
	fen                         int64
	timeout                     time.Duration
	yes, refund                 bool
}

// mostFen is the largest amount of a test payment: one yuan.
const mostFen = 100

// The limits of how long an Order may be open.
const (
	shortest = 6 * time.Minute
	longest  = 7 * 24 * time.Hour
)

func (p *plugin) pay() *cobra.Command {
	t := testPayment{}
	command := &cobra.Command{
		Use:   "pay MERCHANT",
		Short: p.text("Make a test payment of 1 fen by QR code"),
		Long: p.text("Creates a NATIVE Order of 0.01 yuan for a Merchant (name, or namespace/name), shows its QR code and " +
			"waits until it is paid. It is real money " +
			"unless the Merchant's endpoint is a simulator. Paid, it offers to ask for a refund, which somebody has to " +
			"approve as any other. Unpaid at the end of --timeout, the Order is closed."),
		Example:           "  kubectl wechatpay pay shop",
		Args:              p.exactly(1),
		ValidArgsFunction: p.complete(p.merchants),
		RunE: func(command *cobra.Command, args []string) error {
			t.merchant = args[0]
			switch {
			case t.fen < 1 || t.fen > mostFen:
				return p.usagef("--fen must be 1 to %d: this is for tests.", mostFen)
			case t.timeout <= 0:
				return p.usagef("--timeout must be more than nothing.")
			}
			if err := p.ready(); err != nil {
				return err
			}
			return p.makePayment(command.Context(), t)
		},
	}
	command.Flags().Int64Var(&t.fen, "fen", 1, p.text("Amount in fen, at most %d.", mostFen))
	command.Flags().StringVar(&t.name, "name", "",
		p.text("Name of the Order, which is its number at WeChat Pay. Made of the time by default. With the name of a test "+
			"payment before, that one is taken up again."))
	command.Flags().StringVar(&t.description, "description", p.text("Test payment"), p.text("What the payer sees."))
	command.Flags().DurationVar(&t.timeout, "timeout", 5*time.Minute, p.text("How long to wait for the payment."))
	command.Flags().BoolVarP(&t.yes, "yes", "y", false, p.text("Do not ask. For scripts."))
	command.Flags().BoolVar(&t.refund, "refund", false, p.text("Ask for a refund without a question, once it is paid."))
	p.outputFlag(command)
	return command
}

// testOrder returns the Order of a test payment.
func (p *plugin) testOrder(t testPayment) (*v1alpha1.Order, error) {
	reference := v1alpha1.MerchantReference{Name: t.merchant}
	if namespace, name, found := strings.Cut(t.merchant, "/"); found {
		reference = v1alpha1.MerchantReference{Namespace: namespace, Name: name}
	}
	if t.name == "" {
		chance := make([]byte, 2)
		if _, err := rand.Read(chance); err != nil {
			return nil, err
		}
		t.name = "test-" + p.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(chance)
	}
	// WeChat Pay does not close orders in their first five minutes, so an Order is open for at least six.
	open := min(max(t.timeout, shortest), longest)
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: t.name},
		Spec: v1alpha1.OrderSpec{MerchantRef: reference, TradeType: v1alpha1.TradeTypeNative, Description: t.description,
			Amount:             v1alpha1.Amount{Total: t.fen, Currency: v1alpha1.CurrencyCNY},
			ExpireAfterSeconds: int32(open / time.Second)},
	}, nil
}

func (p *plugin) makePayment(ctx context.Context, t testPayment) error {
	order, err := p.testOrder(t)
	if err != nil {
		return err
	}
	amount := p.amount(t.fen, "CNY")
	p.notef("Order %[1]s in namespace %[2]s: %[3]s for Merchant %[4]s, paid by whoever scans the QR code.", order.Name,
		p.namespace, amount, t.merchant)
	if !t.yes && !p.ask("Create it?") {
		return p.failf(ExitDeclined, "Nothing was changed.")
	}
	if err := p.createTestOrder(ctx, order); err != nil {
		return err
	}
	if err := p.awaitPayment(ctx, order, t); err != nil {
		return err
	}
	if p.machine() {
		if err := p.print(order); err != nil {
			return err
		}
	} else {
		p.printf("Paid: %[1]s at %[2]s, transaction %[3]s.", amount, p.formatTime(paidTime(order)), orNone(transactionID(order)))
	}
	return p.offerRefund(ctx, order, t)
}

// createTestOrder creates the Order, or uses an existing one with the same name and content.
func (p *plugin) createTestOrder(ctx context.Context, order *v1alpha1.Order) error {
	wanted := order.Spec
	if created, err := p.createOrGet(ctx, "Order", order); created || err != nil {
		return err
	}
	if order.Spec.TradeType != wanted.TradeType || order.Spec.Amount != wanted.Amount || order.Spec.MerchantRef != wanted.MerchantRef {
		return p.failf(ExitUnexpected, "Order %s exists and is for something else. Choose another --name.", order.Name)
	}
	return nil
}

// awaitPayment shows the QR code once there is one, and again when it was refreshed, until the Order has ended.
func (p *plugin) awaitPayment(ctx context.Context, order *v1alpha1.Order, t testPayment) error {
	waiting, stop := context.WithTimeout(ctx, t.timeout)
	defer stop()
	shown, said := "", ""
	err := follow(waiting, p, order, &v1alpha1.OrderList{}, "Order", func(now *v1alpha1.Order) (bool, error) {
		*order = *now
		paid := condition(now.Status.Conditions, v1alpha1.ConditionPaid)
		prepared := condition(now.Status.Conditions, v1alpha1.ConditionPrepared)
		switch {
		case paid.Status == metav1.ConditionTrue:
			return true, nil
		case paid.Status == metav1.ConditionFalse:
			return true, p.failf(ExitUnexpected, "Order %[1]s has ended without a payment: %[2]s. %[3]s", now.Name,
				p.reason(paid.Reason), paid.Message)
		case now.Status.Prepay != nil && now.Status.Prepay.CodeURL != "" && now.Status.Prepay.CodeURL != shown:
			shown = now.Status.Prepay.CodeURL
			return false, p.offerCode(now)
		case prepared.Status != metav1.ConditionTrue && prepared.Reason != said && prepared.Reason != "":
			said = prepared.Reason
			p.notef("Not ready to be paid: %[1]s. %[2]s", p.reason(prepared.Reason), prepared.Message)
		}
		return false, nil
	})
	switch {
	case err == nil || codeOf(err) == ExitUnexpected:
		return err
	case ctx.Err() != nil:
		return p.stillOpen(order, p.failf(ExitFailure, "Interrupted."))
	case !errors.Is(waiting.Err(), context.DeadlineExceeded):
		return p.stillOpen(order, err)
	}
	return p.closeUnpaid(ctx, order, t.timeout)
}

// stillOpen adds to an error how to close the Order, which can still be paid.
func (p *plugin) stillOpen(order *v1alpha1.Order, err error) error {
	return p.failf(codeOf(err), "%[1]s\nThe Order can still be paid until %[2]s; this closes it: kubectl -n %[3]s patch wxo %[4]s "+
		"--type=merge -p '{\"spec\":{\"desiredState\":\"Closed\"}}'", p.explain(err), p.formatTime(deadline(order)), order.Namespace, order.Name)
}

func deadline(order *v1alpha1.Order) *metav1.Time {
	at := metav1.NewTime(order.Deadline())
	return &at
}

// offerCode draws the QR code on the terminal, and not into the output for programs.
func (p *plugin) offerCode(order *v1alpha1.Order) error {
	if p.machine() {
		return p.draw(p.Streams.ErrOut, order)
	}
	return p.draw(p.Streams.Out, order)
}

// closeUnpaid closes an unpaid Order, so that nobody pays it later.
func (p *plugin) closeUnpaid(ctx context.Context, order *v1alpha1.Order, waited time.Duration) error {
	body := []byte(`{"spec":{"desiredState":"Closed"}}`)
	if err := p.client.Patch(ctx, order, client.RawPatch(types.MergePatchType, body),
		client.FieldOwner(fieldManager)); err != nil {
		return p.stillOpen(order, p.failf(ExitTimeout, "Not paid within %[1]s, and the Order could not be closed: %[2]s", waited, p.explain(err)))
	}
	return p.failf(ExitTimeout, "Not paid within %s. The operator closes the Order now; if it is paid all the same, it "+
		"becomes PaidLate.", waited)
}

// offerRefund creates a Refund if the user wants one. It never approves it.
func (p *plugin) offerRefund(ctx context.Context, order *v1alpha1.Order, t testPayment) error {
	amount := p.amount(order.Spec.Amount.Total, string(order.Spec.Amount.Currency))
	refund := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: order.Namespace, Name: order.Name + "-refund"},
		Spec: v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: order.Name}, Amount: order.Spec.Amount.Total,
			Reason: p.text("Test payment")},
	}
	if !t.refund && (t.yes || !p.ask("Ask for a refund of %s?", amount)) {
		p.notef("It was not paid back. Whoever may create Refunds can ask for it at any time within a year.")
		return nil
	}
	if err := p.client.Create(ctx, refund, client.FieldOwner(fieldManager)); err != nil && !apierrors.IsAlreadyExists(err) {
		return p.explain(err)
	}
	p.notef("Refund %[1]s was asked for. Unless the Merchant approves by itself, somebody has to: kubectl wechatpay approve "+
		"-n %[2]s %[1]s", refund.Name, refund.Namespace)
	return nil
}
