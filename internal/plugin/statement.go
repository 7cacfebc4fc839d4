package plugin

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

func (p *plugin) statement() *cobra.Command {
	var wait bool
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "statement MERCHANT [DATE]",
		Short: p.text("Compare WeChat Pay's bill of a day with what the operator knows"),
		Long: p.text("Shows the Statement of a Merchant and a Beijing day, with its differences, and creates it if there is " +
			"none. DATE is like 2026-11-27, or yesterday, " +
			"which is the default. WeChat Pay has a day's bill from 10:00 of the next day on."),
		Example:           "  kubectl wechatpay statement shop 2026-11-27 --wait",
		ValidArgsFunction: p.complete(p.merchants),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				args = append(args, "yesterday")
			}
			if len(args) != 2 {
				return p.usagef("Usage: %s", "kubectl wechatpay statement MERCHANT [DATE]")
			}
			day, err := p.day(args[1])
			if err == nil {
				err = p.ready()
			}
			if err != nil {
				return err
			}
			return p.compare(command.Context(), args[0], day, wait, timeout)
		},
	}
	command.Flags().BoolVarP(&wait, "wait", "w", false, p.text("Wait until the bill is compared."))
	command.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, p.text("How long to wait."))
	p.outputFlag(command)
	return command
}

// day parses DATE.
func (p *plugin) day(date string) (bills.Day, error) {
	today := bills.DayOf(p.Now())
	if date == "yesterday" {
		return today.Previous(), nil
	}
	day, err := bills.ParseDay(date)
	if err != nil {
		return "", p.usagef("DATE must be a day like 2026-11-27, or yesterday; it is %s.", date)
	}
	if day >= today {
		return "", p.usagef("The day %[1]s is not over in Beijing, where it is %[2]s.", string(day), string(today))
	}
	return day, nil
}

func (p *plugin) compare(ctx context.Context, merchant string, day bills.Day, wait bool, timeout time.Duration) error {
	statement, err := p.findStatement(ctx, merchant, day)
	if err != nil {
		return err
	}
	if statement == nil {
		statement = &v1alpha1.Statement{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: merchant + "-" + string(day)},
			Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: merchant}, Date: string(day)},
		}
		if err := p.createStatement(ctx, statement); err != nil {
			return err
		}
	}
	if wait {
		if err := p.awaitComparison(ctx, statement, timeout); err != nil {
			return err
		}
	}
	if p.machine() {
		if err := p.print(statement); err != nil {
			return err
		}
	} else {
		p.printStatement(statement)
	}
	if condition(statement.Status.Conditions, v1alpha1.ConditionBalanced).Status == metav1.ConditionFalse {
		return p.failf(ExitUnexpected, "The bill differs from what the operator knows.")
	}
	return nil
}

// createStatement creates a Statement. If another one with its name exists, it is used if it has the same spec.
func (p *plugin) createStatement(ctx context.Context, statement *v1alpha1.Statement) error {
	wanted := statement.Spec
	created, err := p.createOrGet(ctx, "Statement", statement)
	if err != nil {
		return err
	}
	if created {
		p.notef("Statement %s was created.", statement.Name)
	} else if statement.Spec != wanted {
		return p.failf(ExitUnexpected, "Statement %[1]s exists and is of Merchant %[2]s and of %[3]s. Delete it, or create one of "+
			"Merchant %[4]s and of %[5]s by another name.", statement.Name, orNone(statement.Spec.MerchantRef.Name),
			orNone(statement.Spec.Date), wanted.MerchantRef.Name, wanted.Date)
	}
	return nil
}

// findStatement returns the Statement of a Merchant and day, under any name; nil if there is none.
func (p *plugin) findStatement(ctx context.Context, merchant string, day bills.Day) (*v1alpha1.Statement, error) {
	var found v1alpha1.StatementList
	if err := p.list(ctx, &found, client.MatchingFields{"spec.merchantRef.name": merchant, "spec.date": string(day)}); err != nil {
		return nil, err
	}
	if len(found.Items) == 0 {
		return nil, nil
	}
	return &found.Items[0], nil
}

// awaitComparison waits until the bill was compared, or is known not to exist.
func (p *plugin) awaitComparison(ctx context.Context, statement *v1alpha1.Statement, timeout time.Duration) error {
	waiting, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	said := ""
	err := follow(waiting, p, statement, &v1alpha1.StatementList{}, "Statement", func(now *v1alpha1.Statement) (bool, error) {
		*statement = *now
		downloaded := condition(now.Status.Conditions, v1alpha1.ConditionDownloaded)
		balanced := condition(now.Status.Conditions, v1alpha1.ConditionBalanced)
		switch {
		case balanced.Status == metav1.ConditionTrue || balanced.Status == metav1.ConditionFalse ||
			balanced.Reason == v1alpha1.ReasonUndecided,
			downloaded.Reason == v1alpha1.ReasonExpired:
			return true, nil
		case downloaded.Reason != "" && downloaded.Reason != said:
			said = downloaded.Reason
			p.notef("%[1]s: %[2]s", p.reasonOf("Statement", said), downloaded.Message)
		}
		return false, nil
	})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		downloaded := condition(statement.Status.Conditions, v1alpha1.ConditionDownloaded)
		return p.failf(ExitTimeout, "Not compared within %[1]s: %[2]s. %[3]s", timeout, p.reason(downloaded.Reason),
			downloaded.Message)
	}
	return err
}

func (p *plugin) printStatement(statement *v1alpha1.Statement) {
	out, status := p.Streams.Out, &statement.Status
	p.printf("Statement %[1]s in namespace %[2]s", statement.Name, statement.Namespace)
	lines := []line{
		{"Merchant", orNone(statement.Spec.MerchantRef.Name)}, {"Day", orNone(statement.Spec.Date)},
		{"Bill", p.conditionText("Statement", condition(status.Conditions, v1alpha1.ConditionDownloaded))},
		{"Comparison", p.conditionText("Statement", condition(status.Conditions, v1alpha1.ConditionBalanced))},
		{"Compared", p.formatTime(status.ComparedTime)},
	}
	if status.Differing != nil {
		lines = append(lines, line{"Differences", strconv.FormatInt(*status.Differing, 10)})
	}
	if status.Undecided != nil && *status.Undecided > 0 {
		lines = append(lines, line{"Undecided", strconv.FormatInt(*status.Undecided, 10)})
	}
	if p.wide() {
		lines = append(lines, line{"Hash", orNone(status.Hash)})
	}
	p.lines(out, "  ", lines...)
	p.tellTotals(status)
	p.tellDifferences(status)
}

func (p *plugin) tellTotals(status *v1alpha1.StatementStatus) {
	if len(status.Totals) == 0 {
		return
	}
	p.section("Totals")
	var rows [][]string
	for _, total := range status.Totals {
		tally := func(t v1alpha1.StatementTally) string {
			return p.amount(t.Total, total.Currency) + " (" + strconv.FormatInt(t.Count, 10) + ")"
		}
		rows = append(rows, []string{orNone(total.Currency), tally(total.Payments), tally(total.Refunds), tally(total.Foreign),
			orNone(total.Fees)})
	}
	p.table([]string{"Currency", "Payments", "Refunds", "Of other systems", "Fees"}, rows)
}

func (p *plugin) tellDifferences(status *v1alpha1.StatementStatus) {
	if len(status.Differences) == 0 {
		return
	}
	p.section("Differences")
	heads := []string{"Class", "Order number", "Refund number", "The bill says", "Here"}
	if p.wide() {
		heads = append(heads, "Transaction", "WeChat Pay's number")
	}
	var rows [][]string
	for _, d := range status.Differences {
		row := []string{orNone(d.Class), orNone(d.OutTradeNo), orNone(d.OutRefundNo), orNone(d.Bill), orNone(d.Here)}
		if p.wide() {
			row = append(row, orNone(d.TransactionID), orNone(d.RefundID))
		}
		rows = append(rows, row)
	}
	p.table(heads, rows)
	if status.Differing != nil && *status.Differing > int64(len(status.Differences)) {
		p.printf("  %[1]d of %[2]d differences are listed. By class:", len(status.Differences), *status.Differing)
		for _, count := range status.DifferenceCounts {
			fmt.Fprintf(p.Streams.Out, "    %s: %d\n", orNone(count.Class), count.Count)
		}
	}
}
