// Package conditions reads the conditions of any of the operator's objects.
package conditions

import (
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Of returns the conditions in an object's status.
func Of(object client.Object) []metav1.Condition {
	found, _ := reflect.ValueOf(object).Elem().FieldByName("Status").FieldByName("Conditions").Interface().([]metav1.Condition)
	return found
}

// Describe says what conditions are, and why those are that are not true.
func Describe(conditions []metav1.Condition) string {
	var text strings.Builder
	for _, c := range conditions {
		fmt.Fprintf(&text, " %s=%s/%s", c.Type, c.Status, c.Reason)
		if c.Status != metav1.ConditionTrue && c.Message != "" {
			fmt.Fprintf(&text, " (%s)", c.Message)
		}
	}
	return text.String()
}
