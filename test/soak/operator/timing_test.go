package main

import (
	"reflect"
	"testing"
	"time"
)

// TestEveryIntervalIsScaled: one that is new in the operator must be thought of here, or it never passes at all.
func TestEveryIntervalIsScaled(t *testing.T) {
	timing := reflect.ValueOf(timing(3 * time.Second))
	for i := range timing.NumField() {
		if timing.Field(i).IsZero() {
			t.Errorf("%s is not set", timing.Type().Field(i).Name)
		}
	}
}
