package bills_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

type flow struct {
	second          int
	income          bool
	amount, balance int64
}

const fundHeader = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n"

func fundText(flows []flow) string {
	var text strings.Builder
	text.WriteString(fundHeader)
	var in, out, inAmount, outAmount int64
	for i, f := range flows {
		direction := "支出"
		if f.income {
			direction = "收入"
			in, inAmount = in+1, inAmount+f.amount
		} else {
			out, outAmount = out+1, outAmount+f.amount
		}
		at := bills.Day("2026-11-27").Start().Add(time.Duration(f.second) * time.Second).Format(time.DateTime)
		fmt.Fprintf(&text, "`%s,`42%d,`F%d,`交易,`交易,`%s,`%s,`%s,`system,`,`\r\n", at, i, i, direction, bills.FormatFen(f.amount), bills.FormatFen(f.balance))
	}
	fmt.Fprintf(&text, "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`%d,`%d,`%s,`%d,`%s\r\n", len(flows), in, bills.FormatFen(inAmount), out, bills.FormatFen(outAmount))
	return text.String()
}

func flows(t *rapid.T) []flow {
	balance, second := rapid.Int64Range(0, 50).Draw(t, "opening"), 0
	var all []flow
	for range rapid.IntRange(1, 12).Draw(t, "count") {
		// Small amounts make a balance occur several times.
		amount := rapid.Int64Range(1, 4).Draw(t, "amount")
		income := rapid.Bool().Draw(t, "income") || balance < amount
		if income {
			balance += amount
		} else {
			balance -= amount
		}
		second += rapid.IntRange(0, 1).Draw(t, "later")
		all = append(all, flow{second, income, amount, balance})
	}
	return all
}

func balanceOK(t rapid.TB, all []flow) bool {
	report, err := readFund(strings.NewReader(fundText(all)), bills.Of{Day: "2026-11-27"}, func(bills.FundRow) {})
	if err != nil || !report.SummaryOK {
		t.Fatalf("%v %s", err, report.Problems())
	}
	return report.BalanceOK
}

// TestBalancesFollowInAnyOrderOfASecond, unless a movement is missing or added.
func TestBalancesFollowInAnyOrderOfASecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := flows(t)
		if shuffled := rapid.Permutation(all).Draw(t, "order"); !balanceOK(t, shuffled) {
			t.Fatalf("a chain is not found in %v", shuffled)
		}
		at := rapid.IntRange(0, len(all)-1).Draw(t, "at")
		changed := slices.Clone(all)
		changed[at].amount += 100
		if changed[at].income = true; len(all) > 1 && at > 0 && all[at].second > all[at-1].second && balanceOK(t, changed) {
			t.Fatalf("the balance before %v does not follow", changed[at])
		}
	})
	// Two chains in one second without a common balance are not one chain.
	if apart := []flow{{0, true, 5, 5}, {1, true, 2, 7}, {1, true, 90, 190}, {1, false, 90, 100}}; balanceOK(t, apart) {
		t.Error("movements that are not connected form a chain")
	}
	// A movement in the middle is missing, and no order of the others closes the gap.
	gap := []flow{{0, true, 5, 5}, {1, true, 7, 12}, {1, false, 2, 10}, {2, true, 1, 11}}
	rapid.Check(t, func(t *rapid.T) {
		for missing := 1; missing < 3; missing++ {
			if balanceOK(t, rapid.Permutation(slices.Delete(slices.Clone(gap), missing, missing+1)).Draw(t, "order")) {
				t.Fatalf("movement %d is not missed", missing)
			}
		}
	})
}
