package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

func TestFiguresAreHeldAgainstTheirRanges(t *testing.T) {
	measured := &results{Figures: []figure{{Name: "writes/paid", Value: 2.004}, {Name: "speed/ratio", Value: 0.8}, {Name: "memory/order", Value: 8.1}}}
	at := func(value float64) *float64 { return &value }
	var table strings.Builder
	err := measured.holdAgainst(map[string]limits{
		"writes/paid": {Min: at(2), Max: at(2.01)}, "speed/ratio": {Min: at(0.8)}, "memory/order": {Max: at(8)}, "rest/cpu": {Max: at(1)},
	}, &table)
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, complaint := range []string{"memory/order is 8.10 , and should be <= 8", "rest/cpu was not measured"} {
		if !strings.Contains(err.Error(), complaint) {
			t.Errorf("no %q in %v", complaint, err)
		}
	}
	if strings.Count(err.Error(), "\n") != 1 || strings.Count(table.String(), " ok\n") != 2 {
		t.Errorf("%v\n%s", err, &table)
	}
}

// TestRanges: every range is about a figure that docs/performance.md explains.
func TestRanges(t *testing.T) {
	ranges, err := loadRanges("ranges.yaml")
	if err != nil || len(ranges) == 0 {
		t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range ranges {
		if !strings.Contains(string(document), "`"+name+"`") {
			t.Errorf("docs/performance.md does not explain %s", name)
		}
	}
}

func TestRangesThatSayNothingAreRefused(t *testing.T) {
	for _, content := range []string{"a/b: {}", "a/b: {mim: 2}", "a/b: 2"} {
		file := filepath.Join(t.TempDir(), "ranges.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadRanges(file); err == nil {
			t.Errorf("%s was taken", content)
		}
	}
}
