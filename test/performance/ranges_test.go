package performance

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// limits are what a figure must be within; either may be left out.
type limits struct {
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

func (l limits) hold(value float64) bool {
	return (l.Min == nil || value >= *l.Min) && (l.Max == nil || value <= *l.Max)
}

func (l limits) String() string {
	text := ""
	if l.Min != nil {
		text += fmt.Sprintf(" >= %g", *l.Min)
	}
	if l.Max != nil {
		text += fmt.Sprintf(" <= %g", *l.Max)
	}
	return text
}

// loadRanges reads a file of limits by the names of figures.
func loadRanges(file string) (map[string]limits, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	ranges := map[string]limits{}
	if err := yaml.UnmarshalStrict(content, &ranges); err != nil {
		return nil, err
	}
	for name, l := range ranges {
		if l.Min == nil && l.Max == nil {
			return nil, errors.New(name + " has neither min nor max")
		}
	}
	return ranges, nil
}

// holdAgainst compares each range with its figure. A range without a figure fails, because the figure was not measured.
func (r *results) holdAgainst(ranges map[string]limits) (lines []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(ranges)) {
		i := slices.IndexFunc(r.Figures, func(f figure) bool { return f.Name == name })
		if i < 0 {
			err = errors.Join(err, fmt.Errorf("%s was not measured: run make bench", name))
			continue
		}
		line := fmt.Sprintf("%s is %s %s, and should be%s", name, r.Figures[i].readable(), r.Figures[i].Unit, ranges[name])
		if lines = append(lines, line); !ranges[name].hold(r.Figures[i].Value) {
			err = errors.Join(err, errors.New(line))
		}
	}
	return lines, err
}

// checkMeasured is make bench-check: it prints the figures that have a range, and returns those
// outside of it.
func checkMeasured() error {
	ranges, err := loadRanges("ranges.yaml")
	if err != nil {
		return err
	}
	measured, err := loadResults(flags.results)
	if err != nil {
		return err
	}
	lines, err := measured.holdAgainst(ranges)
	fmt.Println(strings.Join(lines, "\n"))
	return err
}

func TestFiguresAreHeldAgainstTheirRanges(t *testing.T) {
	measured := &results{Figures: []figure{{Name: "writes/paid", Value: 2.004}, {Name: "speed/ratio", Value: 0.8}, {Name: "memory/order", Value: 8.1}}}
	lines, err := measured.holdAgainst(map[string]limits{
		"writes/paid": {Min: new(2.0), Max: new(2.01)}, "speed/ratio": {Min: new(0.8)}, "memory/order": {Max: new(8.0)}, "rest/cpu": {Max: new(1.0)},
	})
	const want = "memory/order is 8.10 , and should be <= 8\nrest/cpu was not measured: run make bench"
	if err == nil || err.Error() != want || len(lines) != 3 {
		t.Errorf("%v\n%q", err, lines)
	}
}

// TestRanges: every range is about a figure that docs/performance.md explains.
func TestRanges(t *testing.T) {
	ranges, err := loadRanges("ranges.yaml")
	if err != nil || len(ranges) == 0 {
		t.Fatal(err)
	}
	document, err := os.ReadFile(inRepository("docs/performance.md"))
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
