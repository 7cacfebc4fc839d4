package nsfilter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/nsfilter"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

func TestSight(t *testing.T) {
	ctx := t.Context()
	for _, namespace := range []string{"a", "b", "c"} {
		for _, object := range []client.Object{
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "in-" + namespace, Labels: map[string]string{"test": "sight"}}},
		} {
			if err := env.Client.Create(ctx, object); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		watched []string
		seen    []string
	}{
		{nil, []string{"in-a", "in-b", "in-c"}},
		{[]string{"b"}, []string{"in-b"}},
		{[]string{"a", "c"}, []string{"in-a", "in-c"}},
	} {
		for kind, reader := range map[string]client.Reader{
			"reader": nsfilter.Reader(env.Client, test.watched), "client": nsfilter.Client(env.Client, test.watched),
		} {
			var list corev1.ConfigMapList
			if err := reader.List(ctx, &list, client.MatchingLabels{"test": "sight"}); err != nil {
				t.Fatal(err)
			}
			var seen []string
			for _, item := range list.Items {
				seen = append(seen, item.Name)
			}
			if !slices.Equal(seen, test.seen) {
				t.Errorf("%s of %v lists %v", kind, test.watched, seen)
			}
			for _, namespace := range []string{"a", "b", "c"} {
				name := "in-" + namespace
				get := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.ConfigMap{})
				listing := reader.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(namespace))
				inSight := slices.Contains(test.seen, name)
				for _, err := range []error{get, listing} {
					outside, isOutside := errors.AsType[*nsfilter.NotWatchedError](err)
					if inSight && err != nil || !inSight && !isOutside {
						t.Errorf("%s of %v, namespace %s: %v", kind, test.watched, namespace, err)
					}
					if isOutside && (outside.Namespace != namespace || !strings.Contains(err.Error(), "--watch-namespaces")) {
						t.Errorf("%s of %v: %v", kind, test.watched, err)
					}
				}
			}
			if err := reader.Get(ctx, client.ObjectKey{Name: "c"}, &corev1.Namespace{}); err != nil {
				t.Errorf("%s of %v: what has no namespace: %v", kind, test.watched, err)
			}
		}
	}
}
