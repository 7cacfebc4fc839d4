package helm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// render renders the chart with values in YAML.
func render(t *testing.T, namespace, values string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	return controlplane.HelmTemplate(t.Context(), namespace, "--values", file)
}

func mustRender(t *testing.T, namespace, values string) map[string]*unstructured.Unstructured {
	t.Helper()
	objects, err := render(t, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	return byKey(t, objects)
}

// byKey finds objects by "Kind/name", or "Kind/namespace/name" for those outside of the release's namespace.
func byKey(t *testing.T, objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	t.Helper()
	found := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		key := object.GetKind() + "/" + object.GetName()
		if found[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		found[key] = object
	}
	return found
}

// text is an object as JSON, for a look at what is in it.
func text(t *testing.T, object any) string {
	t.Helper()
	content, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func asYAML(t *testing.T, object any) string {
	t.Helper()
	content, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
