package helm_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestInStep: the chart installs object for object what kustomize does.
func TestInStep(t *testing.T) {
	for _, test := range []struct{ folder, namespace, values string }{
		{"config/default", "wechatpay-operator-system", ``},
		{"config/overlays/separate-callbacks", "wechatpay-operator-system", `callbacks: {separate: true}`},
		{"config/overlays/single-namespace", "payments", `scope: Namespace`},
		{"config/overlays/cluster", "wechatpay-operator-system", `operator: {enabled: false}`},
		{"config/console", "wechatpay-operator-system", `{console: {enabled: true}, operator: {enabled: false}, crds: {enabled: false}, policies: {enabled: false}, roles: {enabled: false}}`},
	} {
		t.Run(test.folder, func(t *testing.T) {
			wanted, err := controlplane.Kustomize(t.Context(), test.folder)
			if err != nil {
				t.Fatal(err)
			}
			want, got := byKey(t, wanted), mustRender(t, test.namespace, test.values)
			// helm install --create-namespace makes it.
			delete(want, "Namespace/wechatpay-operator-system")
			if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Fatalf("objects (-kustomize +helm):\n%s", diff)
			}
			for key := range want {
				normalise(want[key])
				normalise(got[key])
				if diff := cmp.Diff(asYAML(t, want[key]), asYAML(t, got[key])); diff != "" {
					t.Errorf("%s (-kustomize +helm):\n%s", key, diff)
				}
			}
		})
	}
}

// normalise drops what a release adds.
func normalise(object *unstructured.Unstructured) {
	for _, fields := range [][]string{{"metadata", "labels"}, {"spec", "template", "metadata", "labels"}} {
		labels, found, _ := unstructured.NestedStringMap(object.Object, fields...)
		if !found {
			continue
		}
		for _, label := range []string{"helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"} {
			delete(labels, label)
		}
		_ = unstructured.SetNestedStringMap(object.Object, labels, fields...)
	}
	containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
	for _, container := range containers {
		// The order of ports means nothing.
		ports := container.(map[string]any)["ports"].([]any)
		slices.SortFunc(ports, func(a, b any) int {
			return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
		})
	}
	if len(containers) > 0 {
		_ = unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers")
	}
	annotations := object.GetAnnotations()
	delete(annotations, "helm.sh/resource-policy")
	object.SetAnnotations(annotations)
}
