package v1alpha1_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestSamplesAreTaken applies each file of config/samples once and again. What is applied over another one comes after
// it.
func TestSamplesAreTaken(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(controlplane.Root(), "config/samples/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(path string) bool {
		return strings.HasSuffix(path, "-example.yaml") || strings.HasSuffix(path, "kustomization.yaml")
	})
	last := func(path string) bool { return strings.HasSuffix(path, "-abnormal.yaml") }
	slices.SortStableFunc(files, func(a, b string) int {
		switch {
		case last(a) == last(b):
			return strings.Compare(a, b)
		case last(a):
			return 1
		}
		return -1
	})
	ns := namespace(t)
	applied := map[string]*unstructured.Unstructured{}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file unstructured.Unstructured
			if err := yaml.Unmarshal(content, &file.Object); err != nil {
				t.Fatal(err)
			}
			file.SetNamespace(ns)
			if file.GetKind() == "Merchant" {
				// Two of them are the same Merchant by one protocol and the other.
				file.SetName(strings.TrimSuffix(filepath.Base(path), ".yaml"))
			}
			if before := applied[file.GetKind()+file.GetName()]; before != nil {
				writeStatus(t, before, set("status.conditions", []any{condition("Succeeded", "Unknown", v1alpha1.ReasonAbnormal)}))
			}
			first := file.DeepCopy()
			if err := apply(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			applied[file.GetKind()+file.GetName()] = first
			again := file.DeepCopy()
			if err := apply(t.Context(), again); err != nil {
				t.Fatal(err)
			}
			if again.GetResourceVersion() != first.GetResourceVersion() {
				t.Error("applying the same file again wrote something")
			}
			object := typed(t, first)
			if err := env.Client.Update(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("the operator can't write it back: %v", err)
			}
		})
	}
	if len(applied) < 9 {
		t.Errorf("only %d objects", len(applied))
	}
}
