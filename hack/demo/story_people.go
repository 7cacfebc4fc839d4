package main

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// buildPlugin builds kubectl wechatpay into bin/, which is in the PATH of the demo's kubectl.
func (d *demo) buildPlugin(ctx context.Context) error {
	_, err := d.build(ctx, "kubectl-wechatpay", "./cmd/kubectl-wechatpay")
	return err
}

// plugin runs kubectl wechatpay as a user. A plugin's name comes before all flags.
func (d *demo) plugin(ctx context.Context, user string, arguments ...string) error {
	arguments = append(append([]string{"wechatpay"}, arguments...), "--context", user)
	d.console.command(append([]string{"kubectl"}, arguments...)...)
	output, err := d.quietKubectl(ctx, arguments...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.console.output(output)
	if err != nil {
		return &mismatch{what: "kubectl wechatpay " + arguments[1], expected: "exit status 0", got: err.Error()}
	}
	return nil
}

// showPlugin shows what people see of an Order with everything that belongs to it.
func (d *demo) showPlugin(ctx context.Context) error {
	if err := d.buildPlugin(ctx); err != nil {
		return err
	}
	d.console.say("What people decide by: kubectl wechatpay, with the rights of whoever calls it:")
	return d.plugin(ctx, admin, "describe", jsapiOrder)
}

// showStatements compares the bill of a day that is long over, so that WeChat Pay has it whenever the
// demo runs.
func (d *demo) showStatements(ctx context.Context) error {
	quiet := bills.DayOf(time.Now().AddDate(0, 0, -3))
	d.console.say("WeChat Pay has the bill of a day from 10:00 of the next day on. Three days ago nothing was sold here, so nothing differs:")
	if err := d.plugin(ctx, admin, "statement", "shop", string(quiet), "--wait"); err != nil {
		return err
	}
	d.console.say("A Merchant with spec.statements.schedule: Daily gets one for each day by itself.")
	return d.kubectl(ctx, admin, "get", "wxt", "-o", "wide")
}
