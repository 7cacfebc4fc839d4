package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	// The packages that register metrics.
	_ "github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var root = controlplane.Root()

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// TestWhatIsFoundInTheCodeIsWhatIsServed compares the metrics that findMetrics finds with the
// registered ones.
func TestWhatIsFoundInTheCodeIsWhatIsServed(t *testing.T) {
	descriptions := make(chan *prometheus.Desc, 1000)
	ctrlmetrics.Registry.(prometheus.Collector).Describe(descriptions)
	metrics.NewObjects(clock.RealClock{}, nil).Describe(descriptions)
	close(descriptions)
	var served, found []string
	for description := range descriptions {
		_, rest, _ := strings.Cut(description.String(), `fqName: "`)
		if name, _, _ := strings.Cut(rest, `"`); strings.HasPrefix(name, prefix) {
			served = append(served, name)
		}
	}
	for _, m := range must(findMetrics(root))(t) {
		found = append(found, m.name)
		if !strings.HasPrefix(m.name, prefix) || m.help == "" || (m.kind == "counter") != strings.HasSuffix(m.name, "_total") {
			t.Errorf("%s (%s) is against the rules of names, or has no help", m.name, m.kind)
		}
	}
	slices.Sort(served)
	slices.Sort(found)
	if !slices.Equal(served, found) {
		t.Errorf("served %q\nfound  %q", served, found)
	}
}

func checkReads(t *testing.T, where, expr string, known []metric) {
	t.Helper()
	for _, name := range ownMetrics(expr) {
		if !slices.ContainsFunc(known, func(m metric) bool { return m.has(name) }) {
			t.Errorf("%s reads %s, which the code does not make", where, name)
		}
	}
}

// runbooks are the documents that say what to do about each alert, with the headings of each section.
var runbooks = map[string][]string{
	"docs/runbooks.md":       {"**Money:**", "**Look:**", "**Do:**"},
	"docs/zh-CN/runbooks.md": {"**资金：**", "**怎么查：**", "**怎么办：**"},
}

func TestEveryAlertHasARunbook(t *testing.T) {
	known, alerts := must(findMetrics(root))(t), must(readAlerts(root))(t)
	var names []string
	for _, a := range alerts {
		names = append(names, a.Alert)
		checkReads(t, a.Alert, a.Expr, known)
		if want := "https://github.com/wechatpay-operator/wechatpay-operator/blob/main/docs/runbooks.md#" + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, not %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s has no summary or description", a.Alert)
		}
		if !slices.Contains([]string{"critical", "warning"}, a.Labels["severity"]) {
			t.Errorf("%s: severity %q", a.Alert, a.Labels["severity"])
		}
	}
	for document, headings := range runbooks {
		checkRunbook(t, document, headings, names)
	}
}

// checkRunbook checks that the document has a section for each alert, with all headings, and no other sections.
func checkRunbook(t *testing.T, document string, headings, alerts []string) {
	t.Helper()
	sections := strings.Split(string(must(os.ReadFile(filepath.Join(root, document)))(t)), "\n## ")[1:]
	var names []string
	for _, section := range sections {
		name, content, _ := strings.Cut(section, "\n")
		names = append(names, name)
		if !slices.Contains(alerts, name) {
			t.Errorf("%s has a section of %s, which is no alert", document, name)
		}
		for _, heading := range headings {
			if !strings.Contains(content, "\n"+heading) {
				t.Errorf("%s has no %s in the section ## %s", document, heading, name)
			}
		}
	}
	for _, alert := range alerts {
		if !slices.Contains(names, alert) {
			t.Errorf("%s has no section ## %s", document, alert)
		}
	}
}

// TestEveryAlertIsTested: the promtool tests, which make lint runs, have every alert firing and not
// firing.
func TestEveryAlertIsTested(t *testing.T) {
	tests := string(must(os.ReadFile(filepath.Join(root, "config", "prometheus", "tests", "alerts.yaml")))(t))
	for _, a := range must(readAlerts(root))(t) {
		for _, name := range []string{a.Alert + " fires'", a.Alert + " does not fire'"} {
			if !strings.Contains(tests, "- name: '"+name) {
				t.Errorf("config/prometheus/tests/alerts.yaml has no test '%s", name)
			}
		}
	}
}

func TestDashboardReadsWhatIsThere(t *testing.T) {
	known := must(findMetrics(root))(t)
	read := map[string]bool{}
	for _, p := range must(readPanels(root))(t) {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q reads nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkReads(t, "panel "+p.Title, target.Expr, known)
			for _, name := range ownMetrics(target.Expr) {
				read[name] = true
			}
		}
	}
	for _, m := range known {
		if !read[m.name] && !read[m.name+"_bucket"] {
			t.Errorf("the dashboard shows %s nowhere", m.name)
		}
	}
	var dashboard map[string]any
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(root, dashboardFile)))(t), &dashboard); err != nil || dashboard["uid"] == "" {
		t.Errorf("no dashboard with a uid: %v", err)
	}
}
