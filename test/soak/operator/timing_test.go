package main

import (
	"reflect"
	"testing"
	"time"
)

// TestEveryIntervalIsScaled: hasten must scale every new interval of the operator, or it would
// never elapse in a soak.
func TestEveryIntervalIsScaled(t *testing.T) {
	timing := reflect.ValueOf(timing(3 * time.Second))
	for i := range timing.NumField() {
		if timing.Field(i).IsZero() {
			t.Errorf("%s is not set", timing.Type().Field(i).Name)
		}
	}
}
