package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Kubectl returns the path of the control plane's kubectl.
func Kubectl() (string, error) {
	assets, err := Assets()
	return filepath.Join(assets, "kubectl"), err
}

// Kustomize returns the objects that `kubectl apply -k` would apply for a folder, which is an
// absolute path or relative to the repository.
func Kustomize(ctx context.Context, folder string) ([]*unstructured.Unstructured, error) {
	kubectl, err := Kubectl()
	if err != nil {
		return nil, err
	}
	printed, err := output(ctx, kubectl, "kustomize", folder)
	if err != nil {
		return nil, err
	}
	return Decode(bytes.NewReader(printed))
}

// Decode reads the objects of a YAML stream.
func Decode(stream io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(stream, 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// ServerSideApply applies objects in order, as `kubectl apply --server-side` does.
func (e *Environment) ServerSideApply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := e.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("kubectl")); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
