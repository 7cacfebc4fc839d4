package install_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const system = "wechatpay-operator-system"

// TestInstall applies each way to install to the real API server, in a namespace that enforces the Pod Security Standard
// "restricted", applies it again, and takes it away.
func TestInstall(t *testing.T) {
	for _, test := range []struct {
		name, namespace string
		objects         func(context.Context) ([]*unstructured.Unstructured, error)
	}{
		{"kustomize", system, folder("config/default")},
		{"kustomize, separate callbacks", system, folder("config/overlays/separate-callbacks")},
		{"kustomize, cluster", system, folder("config/overlays/cluster")},
		{"kustomize, single namespace", "payments", folder("config/overlays/single-namespace")},
		{"kustomize, console", system, folder("config/console")},
		{"helm", system, chart(system)},
		{"helm, all there is", system, chart(system, "--set", "callbacks.separate=true,callbacks.apiKeySecrets.default={shop-wechatpay},ingress.enabled=true,ingress.host=pay.example.com,console.enabled=true,console.replicas=2,console.sessionKeysSecret=keys")},
		{"helm, single namespace", "payments", chart("payments", "--set", "scope=Namespace")},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, err := test.objects(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := env.ServerSideApply(t.Context(), restrictedNamespace(test.namespace)); err != nil {
				t.Fatal(err)
			}
			if err := env.ServerSideApply(t.Context(), objects...); err != nil {
				t.Fatal(err)
			}
			versions := versionsOf(t, objects)
			if err := env.ServerSideApply(t.Context(), objects...); err != nil {
				t.Fatal(err)
			}
			for i, version := range versionsOf(t, objects) {
				if version != versions[i] {
					t.Errorf("applying %s again changed it", describe(objects[i]))
				}
			}
			for _, object := range objects {
				if object.GetKind() == "Deployment" {
					runs(t, object)
				}
			}
			uninstall(t, objects)
		})
	}
}

func folder(name string) func(context.Context) ([]*unstructured.Unstructured, error) {
	return func(ctx context.Context) ([]*unstructured.Unstructured, error) {
		return controlplane.Kustomize(ctx, name)
	}
}

func chart(namespace string, flags ...string) func(context.Context) ([]*unstructured.Unstructured, error) {
	return func(ctx context.Context) ([]*unstructured.Unstructured, error) {
		return controlplane.HelmTemplate(ctx, namespace, flags...)
	}
}

// restrictedNamespace is what an administrator makes; config/default has it among its objects.
func restrictedNamespace(name string) *unstructured.Unstructured {
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(name)
	namespace.SetLabels(map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	return namespace
}

func describe(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}

func versionsOf(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var versions []string
	for _, object := range objects {
		now := &unstructured.Unstructured{}
		now.SetGroupVersionKind(object.GroupVersionKind())
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(object), now); err != nil {
			t.Fatal(err)
		}
		// The generation is that of the spec: controllers of the API server itself write status at any time.
		versions = append(versions, fmt.Sprint(now.GetUID(), now.GetGeneration(), now.GetLabels(), now.GetAnnotations()))
	}
	return versions
}

// runs asks the API server for a pod of a Deployment: Pod Security, the priority and the ServiceAccount are all looked
// at.
func runs(t *testing.T, deployment *unstructured.Unstructured) {
	t.Helper()
	template, _, _ := unstructured.NestedMap(deployment.Object, "spec", "template")
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, pod); err != nil {
		t.Fatal(err)
	}
	pod.ObjectMeta = metav1.ObjectMeta{Namespace: deployment.GetNamespace(), Name: "trial", Labels: pod.Labels}
	if err := env.Client.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("%s: its pods are refused: %v", describe(deployment), err)
	}
	// The namespace does look.
	pod.Spec.SecurityContext.RunAsNonRoot, pod.Spec.Containers[0].SecurityContext = nil, nil
	if err := env.Client.Create(t.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("Pod Security let a pod in that it must not: %v", err)
	}
}

// uninstall deletes in reverse, as kubectl and helm do, and sees that nothing is left. Namespaces and kinds stay for
// the next test: there is no controller here that would end a namespace.
func uninstall(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for i := len(objects) - 1; i >= 0; i-- {
		object := objects[i]
		if kind := object.GetKind(); kind == "Namespace" || kind == "CustomResourceDefinition" {
			continue
		}
		if err := env.Client.Delete(t.Context(), object.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			t.Errorf("deleting %s: %v", describe(object), err)
			continue
		}
		err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			err := env.Client.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy())
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			t.Errorf("%s is still there: %v", describe(object), err)
		}
	}
}
