package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

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
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for name, l := range ranges {
		if l.Min == nil && l.Max == nil {
			return nil, fmt.Errorf("%s: %s has neither min nor max", file, name)
		}
	}
	return ranges, nil
}

// holdAgainst fails for every figure that is outside of its range, and for every range without a figure: what was not measured
// does not hold.
func holdAgainst(rangesFile, resultsFile string) error {
	ranges, err := loadRanges(rangesFile)
	if err != nil {
		return err
	}
	measured, err := loadResults(resultsFile)
	if err != nil {
		return err
	}
	return measured.holdAgainst(ranges, os.Stdout)
}

func (r *results) holdAgainst(ranges map[string]limits, to io.Writer) error {
	values := map[string]figure{}
	for _, f := range r.Figures {
		values[f.Name] = f
	}
	var failures []error
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(ranges)) {
		f, found := values[name]
		verdict := "ok"
		switch {
		case !found:
			verdict = "NOT MEASURED"
			failures = append(failures, fmt.Errorf("%s was not measured: run make bench", name))
		case !ranges[name].hold(f.Value):
			verdict = "OUTSIDE"
			failures = append(failures, fmt.Errorf("%s is %s %s, and should be%s", name, f.readable(), f.Unit, ranges[name]))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, f.readable(), f.Unit, ranges[name], verdict)
	}
	return errors.Join(append(failures, table.Flush())...)
}
