package main

import (
	"math"
	"testing"
)

func TestLineThroughPoints(t *testing.T) {
	for _, test := range []struct {
		name        string
		xs, ys      []float64
		base, slope float64
	}{
		{"exact", []float64{1, 2, 4}, []float64{5, 7, 11}, 3, 2},
		{"least squares", []float64{0, 1, 2}, []float64{0, 2, 1}, 0.5, 0.5},
		{"one point", []float64{4}, []float64{2}, 0, 0.5},
	} {
		got := fit(test.xs, test.ys)
		if math.Abs(got.base-test.base) > 1e-9 || math.Abs(got.slope-test.slope) > 1e-9 {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}
