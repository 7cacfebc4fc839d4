// Package nsfilter limits an operator's reads to the namespaces that it watches, because it has no
// permissions in others.
package nsfilter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NotWatchedError says that an object is in a namespace that the operator does not watch, whether
// or not the object exists.
type NotWatchedError struct {
	// Namespace is the object's namespace.
	Namespace string
	// Watched are the namespaces that the operator watches.
	Watched []string
}

// Error names the flag that adds namespaces.
func (e *NotWatchedError) Error() string {
	return fmt.Sprintf("this operator watches only %s (--watch-namespaces), not namespace %s", describe(e.Watched), e.Namespace)
}

func describe(namespaces []string) string {
	if len(namespaces) == 1 {
		return "namespace " + namespaces[0]
	}
	return "the namespaces " + strings.Join(namespaces, ", ")
}

// Reader limits a reader to the namespaces; none means all.
func Reader(reader client.Reader, namespaces []string) client.Reader {
	if len(namespaces) == 0 {
		return reader
	}
	return &filteredReader{reader, namespaces}
}

// Client limits what a client reads. Writes are not limited, because the operator writes only
// objects that it has read.
func Client(c client.Client, namespaces []string) client.Client {
	if len(namespaces) == 0 {
		return c
	}
	return &filteredClient{c, filteredReader{c, namespaces}}
}

type filteredClient struct {
	client.Client
	reader filteredReader
}

// Get reads an object in a watched namespace.
func (c *filteredClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return c.reader.Get(ctx, key, object, options...)
}

// List lists the objects in the watched namespaces.
func (c *filteredClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return c.reader.List(ctx, list, options...)
}

type filteredReader struct {
	client.Reader
	namespaces []string
}

// Get reads an object in a watched namespace, or a cluster-scoped one.
func (b *filteredReader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if key.Namespace != "" {
		if err := b.check(key.Namespace); err != nil {
			return err
		}
	}
	return b.Reader.Get(ctx, key, object, options...)
}

// List lists the watched namespaces one by one, because the permission to list is granted per
// namespace.
func (b *filteredReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if namespace := (&client.ListOptions{}).ApplyOptions(options).Namespace; namespace != "" {
		if err := b.check(namespace); err != nil {
			return err
		}
		return b.Reader.List(ctx, list, options...)
	}
	var all []runtime.Object
	for _, namespace := range b.namespaces {
		part := list.DeepCopyObject().(client.ObjectList)
		if err := b.Reader.List(ctx, part, append(slices.Clone(options), client.InNamespace(namespace))...); err != nil {
			return err
		}
		items, err := meta.ExtractList(part)
		if err != nil {
			return err
		}
		all = append(all, items...)
	}
	return meta.SetList(list, all)
}

func (b *filteredReader) check(namespace string) error {
	if slices.Contains(b.namespaces, namespace) {
		return nil
	}
	return &NotWatchedError{Namespace: namespace, Watched: b.namespaces}
}
