package main

import (
	"fmt"
	"slices"
	"strings"
)

const introduction = `<!-- Made from the code by make metricsdoc; make lint checks that it is up to date. -->

# Metrics

The operator serves its metrics at ` + "`/metrics`" + `, port 8443, over HTTPS, to callers that the API server authenticates and allows
to get ` + "`/metrics`" + `: bind the ClusterRole ` + "`wechatpay-operator-metrics-reader`" + ` to the ServiceAccount of your Prometheus.
` + "`config/prometheus`" + ` has a ServiceMonitor and the alerts, [runbooks.md](runbooks.md) says what to do about each of them, and
` + "`config/grafana/wechatpay-operator.json`" + ` is a dashboard.

No series is of one Order or one Refund. What is "told by the leader" comes from one replica only, so that it can be summed over
all; it is kept from the cache's events, and a scrape costs the same however many objects there are. All the rest is counted
by each replica for itself.

Beside those below there are controller-runtime's (` + "`controller_runtime_*`, `workqueue_*`, `rest_client_*`, `leader_election_master_status`" + `)
and Go's.

| metric | type | labels | |
|---|---|---|---|
`

// document generates docs/metrics.md.
func document(root string) (string, error) {
	metrics, err := findMetrics(root)
	if err != nil {
		return "", err
	}
	alerts, err := readAlerts(root)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprint(&text, introduction)
	for _, m := range metrics {
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s%s |\n", m.name, m.kind, quoted(m.labels), m.help, alertsOf(m, alerts))
	}
	return text.String(), nil
}

func quoted(labels []string) string {
	var quoted []string
	for _, label := range labels {
		quoted = append(quoted, "`"+label+"`")
	}
	return strings.Join(quoted, ", ")
}

// alertsOf links the alerts that use a metric.
func alertsOf(m metric, alerts []alert) string {
	var links []string
	for _, a := range alerts {
		if slices.ContainsFunc(ownMetrics(a.Expr), m.has) {
			links = append(links, fmt.Sprintf("[%s](runbooks.md#%s)", a.Alert, strings.ToLower(a.Alert)))
		}
	}
	if len(links) == 0 {
		return ""
	}
	return " Alerts: " + strings.Join(links, ", ") + "."
}

// has reports whether a series belongs to the metric.
func (m metric) has(series string) bool {
	if m.kind == "histogram" {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if series == m.name+suffix {
				return true
			}
		}
	}
	return series == m.name
}
