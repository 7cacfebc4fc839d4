package lifecycle_test

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/internal/apidoc"
)

// listed returns the reasons that api/v1alpha1/conditions.go documents for each condition and
// status, as "Paid True/Paid". Users read those comments, so the test compares with them.
var listed = sync.OnceValue(func() map[string]bool {
	reasons, err := apidoc.Reasons("../../api/v1alpha1/conditions.go")
	if err != nil {
		panic(err)
	}
	found := map[string]bool{}
	for _, reason := range reasons {
		found[reason.String()] = true
	}
	return found
})

// malformed describes what is wrong with conditions; empty if nothing is.
func malformed(conditions []metav1.Condition, generation int64, kinds ...string) string {
	var found []string
	for _, condition := range conditions {
		found = append(found, condition.Type)
		state := fmt.Sprintf("%s %s/%s", condition.Type, condition.Status, condition.Reason)
		switch {
		case !listed()[state]:
			return state + " is not listed in api/v1alpha1/conditions.go"
		case condition.ObservedGeneration != generation:
			return fmt.Sprintf("%s has the generation %d", state, condition.ObservedGeneration)
		case condition.LastTransitionTime.IsZero():
			return state + " has no time"
		case condition.Message == "":
			return state + " has no message"
		case len(condition.Message) > 1024 || !utf8.ValidString(condition.Message):
			return state + " has a message that is too long, or no UTF-8"
		}
	}
	slices.Sort(found)
	slices.Sort(kinds)
	if !slices.Equal(found, kinds) {
		return fmt.Sprintf("the conditions are %q, not %q", found, kinds)
	}
	return ""
}
