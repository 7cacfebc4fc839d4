package plugin

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/qrcode"
)

func (p *plugin) qr() *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "qr ORDER",
		Short: p.text("Show the QR code of a NATIVE Order, on the terminal or as PNG"),
		Long: p.text("Draws the QR code that the payer scans with WeChat: on the terminal, or with --png into a file. Whoever " +
			"scans it can pay the Order. " +
			"It works until the time that is printed; the operator refreshes it while the Order is open."),
		Example: "  kubectl wechatpay qr order-20261121-0002\n  kubectl wechatpay qr order-20261121-0002 --png " +
			"code.png",
		Args:              p.exactly(1),
		ValidArgsFunction: p.complete(p.orders),
		RunE: func(command *cobra.Command, args []string) error {
			if err := p.connect(); err != nil {
				return err
			}
			return p.showQR(command.Context(), args[0], file)
		},
	}
	command.Flags().StringVar(&file, "png", "",
		p.text("Write a PNG into this file (- for stdout) instead of drawing on the terminal."))
	return command
}

func (p *plugin) showQR(ctx context.Context, name, file string) error {
	var order v1alpha1.Order
	if err := p.get(ctx, "Order", name, &order); err != nil {
		return err
	}
	paid := condition(order.Status.Conditions, v1alpha1.ConditionPaid)
	prepared := condition(order.Status.Conditions, v1alpha1.ConditionPrepared)
	switch {
	case order.Spec.TradeType != v1alpha1.TradeTypeNative:
		return p.failf(ExitUnexpected, "Order %[1]s has the trade type %[2]s; only NATIVE Orders have a QR code.", name,
			string(order.Spec.TradeType))
	case paid.Status == metav1.ConditionTrue || paid.Status == metav1.ConditionFalse:
		return p.failf(ExitUnexpected, "Order %[1]s is finished: %[2]s. There is nothing to pay.", name, p.reason(paid.Reason))
	case order.Status.Prepay == nil || order.Status.Prepay.CodeURL == "":
		return p.failf(ExitFailure, "Order %[1]s has no QR code yet: %[2]s. %[3]s", name, p.reason(prepared.Reason),
			prepared.Message)
	}
	if file != "" {
		return p.writePNG(&order, file)
	}
	return p.draw(p.Streams.Out, &order)
}

// draw shows the amount and the QR code.
func (p *plugin) draw(out io.Writer, order *v1alpha1.Order) error {
	picture, err := qrcode.Terminal(order.Status.Prepay.CodeURL)
	if err != nil {
		return p.failf(ExitFailure, "The QR code cannot be drawn: %s", err)
	}
	fmt.Fprint(out, picture)
	p.lines(out, "", p.codeLines(order)...)
	return nil
}

func (p *plugin) codeLines(order *v1alpha1.Order) []line {
	return []line{{"Order", orNone(order.Name)}, {"Amount", p.amount(order.Spec.Amount.Total, string(order.Spec.Amount.Currency))},
		{"Description", orNone(order.Spec.Description)}, {"Works until", p.formatTime(order.Status.Prepay.ExpireTime)}}
}

// writePNG writes the QR code into a file that only its owner can read: anybody with the code can pay.
func (p *plugin) writePNG(order *v1alpha1.Order, file string) error {
	picture, err := qrcode.PNG(order.Status.Prepay.CodeURL)
	if err != nil {
		return p.failf(ExitFailure, "The QR code cannot be drawn: %s", err)
	}
	if file == "-" {
		_, err := p.Streams.Out.Write(picture)
		return err
	}
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		return p.failf(ExitFailure, "The file cannot be written: %s", err)
	}
	p.lines(p.Streams.ErrOut, "", append(p.codeLines(order), line{"File", orNone(file)})...)
	return nil
}
