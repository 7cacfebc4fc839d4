package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestRun(t *testing.T) {
	t.Parallel()
	broken := errors.New("the API server does not answer")
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "wechatpay-operator.io", Resource: "orders"}, "order-0001", errors.New("the object has been modified"))
	for name, test := range map[string]struct {
		steps []progress
		taken int
		after time.Duration
		err   error
	}{
		"no step":                           {},
		"all steps go on":                   {steps: []progress{next(), next()}, taken: 2},
		"a step that is done":               {steps: []progress{next(), done(), next()}, taken: 2},
		"a step that comes again":           {steps: []progress{again(time.Minute), next()}, taken: 1, after: time.Minute},
		"a step that is due already":        {steps: []progress{again(-time.Second)}, taken: 1, after: time.Millisecond},
		"a step that failed":                {steps: []progress{failed(broken), next()}, taken: 1, err: broken},
		"a write that ends it":              {steps: []progress{stop(nil), next()}, taken: 1},
		"a write that failed":               {steps: []progress{stop(broken), next()}, taken: 1, err: broken},
		"a conflict is no error to be told": {steps: []progress{failed(conflict), next()}, taken: 1, after: 500 * time.Millisecond},
		"nor is one of the last write":      {steps: []progress{stop(conflict), next()}, taken: 1, after: 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken []int
			var steps []step[*[]int]
			for i, p := range test.steps {
				steps = append(steps, func(_ context.Context, taken *[]int) progress { *taken = append(*taken, i); return p })
			}
			result, err := run(t.Context(), &taken, steps...)
			if want := (ctrl.Result{RequeueAfter: test.after}); result != want || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Errorf("it ends with %+v, %v; want %+v, %v", result, err, want, test.err)
			}
			if len(taken) != test.taken || !slices.IsSorted(taken) {
				t.Errorf("it took steps %v, want the first %d", taken, test.taken)
			}
		})
	}
}
