package v1alpha1_test

import (
	"testing"
)

func TestStatementDate(t *testing.T) {
	const day = "date must be a day"
	check(t, []row{
		accept("a day", statement(set("spec.date", "2026-12-31"))),
		refuse("a day as it is in YAML without quotes", statement(set("spec.date", "2026-11-27T00:00:00Z")), "spec.date"),
		refuse("without hyphens", statement(set("spec.date", "20261127")), "spec.date"),
		refuse("a month too many", statement(set("spec.date", "2026-13-01")), "spec.date", day),
		refuse("a day too many", statement(set("spec.date", "2026-11-32")), "spec.date", day),
		refuse("another century", statement(set("spec.date", "1926-11-27")), "spec.date", day),
		refuse("none", statement(unset("spec.date")), "spec.date"),
		refuse("no Merchant", statement(unset("spec.merchantRef")), "spec.merchantRef"),
	})
}

func TestMerchantStatements(t *testing.T) {
	check(t, enumRows("spec.statements.schedule", merchant, "Hourly", "None", "Daily"))
	prefix := func(prefixes ...any) edit { return set("spec.statements.foreign.outTradeNoPrefixes", prefixes) }
	check(t, []row{
		accept("a prefix", merchant(prefix("till-"))),
		refuse("none", merchant(set("spec.statements.foreign.outTradeNoPrefixes", []any{})), "outTradeNoPrefixes", "at least 1"),
		refuse("an empty one, which everything begins with", merchant(prefix("")), "outTradeNoPrefixes[0]", "at least 1"),
		refuse("twice the same", merchant(prefix("a", "a")), "outTradeNoPrefixes[1]", "Duplicate"),
	})
}
