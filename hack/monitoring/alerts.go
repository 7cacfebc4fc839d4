package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// alert is a rule of config/prometheus/rules.yaml.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type prometheusRule struct {
	Spec struct {
		Groups []struct {
			Rules []alert `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

func readAlerts(root string) ([]alert, error) {
	content, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "rules.yaml"))
	if err != nil {
		return nil, err
	}
	var rule prometheusRule
	if err := yaml.Unmarshal(content, &rule); err != nil {
		return nil, err
	}
	var alerts []alert
	for _, group := range rule.Spec.Groups {
		alerts = append(alerts, group.Rules...)
	}
	return alerts, nil
}

// plainRules extracts the groups from the PrometheusRule, because promtool does not read Kubernetes
// objects.
func plainRules(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "rules.yaml"))
	if err != nil {
		return "", err
	}
	var rule struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &rule); err != nil {
		return "", err
	}
	plain, err := yaml.Marshal(rule.Spec)
	return string(plain), err
}

// dashboardFile is the path of the dashboard.
const dashboardFile = "config/grafana/wechatpay-operator.json"

// panel is a panel of the dashboard, or a row.
type panel struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

func readPanels(root string) ([]panel, error) {
	content, err := os.ReadFile(filepath.Join(root, dashboardFile))
	if err != nil {
		return nil, err
	}
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		return nil, fmt.Errorf("%s: %w", dashboardFile, err)
	}
	return dashboard.Panels, nil
}

// dashboardRules writes every query of the dashboard as a rule, with Grafana's variables replaced.
func dashboardRules(root string) (string, error) {
	panels, err := readPanels(root)
	if err != nil {
		return "", err
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$namespace", ".*")
	var text strings.Builder
	fmt.Fprint(&text, "groups:\n- name: dashboard\n  rules:\n")
	number := 0
	for _, panel := range panels {
		for _, target := range panel.Targets {
			number++
			fmt.Fprintf(&text, "  # %s\n  - record: dashboard:query:%d\n    expr: %q\n", panel.Title, number, variables.Replace(target.Expr))
		}
	}
	return text.String(), nil
}

// word matches a name in a query.
var word = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

// ownMetrics lists the operator's own metrics in a query.
func ownMetrics(expr string) []string {
	var names []string
	for _, name := range word.FindAllString(expr, -1) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}
