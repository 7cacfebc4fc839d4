package events

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// sinksOnly lists its EventSinks, and no other objects.
type sinksOnly struct {
	client.Reader
	sinks []v1alpha1.EventSink
}

func (r sinksOnly) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if sinks, ok := list.(*v1alpha1.EventSinkList); ok {
		sinks.Items = r.sinks
	}
	return nil
}

// TestWarningsNameTheSinkAsItWasServed: after a conflict, the reconciler that serves a sink decodes a newer version
// into the same object, while the deletion of another object gives up events and warns.
func TestWarningsNameTheSinkAsItWasServed(t *testing.T) {
	sink := v1alpha1.EventSink{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "accounting", UID: "sink", CreationTimestamp: metav1.NewTime(start)}}
	var warned []string
	d := &Dispatcher{
		Client: sinksOnly{sinks: []v1alpha1.EventSink{*sink.DeepCopy()}},
		Clock:  clocktesting.NewFakePassiveClock(start.Add(time.Hour)), Timing: DefaultTiming(),
		Warn: func(sink *v1alpha1.EventSink, _, _ string, _ ...any) { warned = append(warned, sink.Name) },
	}
	ctx := context.Background()
	if err := d.Serve(ctx, &sink, nil); err != nil {
		t.Fatal(err)
	}
	sink.Name = "being decoded"
	paid := orderWith("a", condition("Paid", "True/Paid", 1))
	paid.Namespace = "shop"
	if wait, err := d.Wait(ctx, paid, start); err != nil || wait != 0 {
		t.Fatal(wait, err)
	}
	if len(warned) != 1 || warned[0] != "accounting" {
		t.Errorf("warned about %q", warned)
	}
}
