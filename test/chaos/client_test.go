package chaos_test

import (
	"context"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// patiently removes the deadline from calls to the API server. The operator's deadlines use the
// machine's clock, and a slow machine is not one of the tested faults.
func patiently(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// cachedClient is the client of a process: reads come from its cache, writes are steps that can be
// cut.
type cachedClient struct {
	client.Client
	p *process
}

// GroupVersionKindFor looks into the scheme, and is no call.
func (c *cachedClient) GroupVersionKindFor(object runtime.Object) (schema.GroupVersionKind, error) {
	return c.p.w.suite.api.GroupVersionKindFor(object)
}

func (c *cachedClient) Get(_ context.Context, name client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if c.p.isDead() {
		return errDead
	}
	if namespace, ok := object.(*corev1.Namespace); ok {
		return c.p.w.suite.api.Get(context.Background(), name, namespace)
	}
	kind := kindOf(object)
	found, ok := c.p.view()[key{kind, name.Name, placeOf(name.Namespace)}]
	if !ok || !c.p.w.isOurs(name.Namespace) {
		return apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: kind}, name.Name)
	}
	assign(object, found.DeepCopyObject().(client.Object))
	return nil
}

func (c *cachedClient) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if c.p.isDead() {
		return errDead
	}
	var wanted client.ListOptions
	wanted.ApplyOptions(options)
	var selector fields.Requirements
	if wanted.FieldSelector != nil {
		selector = wanted.FieldSelector.Requirements()
	}
	view := c.p.view()
	for _, k := range view.keys() {
		object := view[k].DeepCopyObject().(client.Object)
		if (wanted.Namespace == "" || wanted.Namespace == object.GetNamespace()) && matches(c.p.w.suite.indexes, object, selector) {
			add(list, object)
		}
	}
	return nil
}

func (c *cachedClient) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	return c.write("create", object, func(actual client.Object) error {
		return c.p.w.suite.api.Create(patiently(ctx), actual, options...)
	})
}

func (c *cachedClient) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	return c.write("delete", object, func(actual client.Object) error {
		var wanted client.DeleteOptions
		wanted.ApplyOptions(options)
		if wanted.Preconditions != nil && wanted.Preconditions.UID != nil {
			uid := actual.GetUID()
			wanted.Preconditions.UID = &uid
		}
		return c.p.w.suite.api.Delete(patiently(ctx), actual, &wanted)
	})
}

func (c *cachedClient) Patch(ctx context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(object) // as the process sees it, before the UID is translated back
	if err != nil {
		return err
	}
	return c.write("patch", object, func(actual client.Object) error {
		return c.p.w.suite.api.Patch(patiently(ctx), actual, client.RawPatch(patch.Type(), data))
	})
}

func (c *cachedClient) Update(context.Context, client.Object, ...client.UpdateOption) error {
	panic("the operator has no use for Update")
}

func (c *cachedClient) Status() client.SubResourceWriter { return &statusWriter{c: c} }

type statusWriter struct {
	client.SubResourceWriter
	c *cachedClient
}

func (s *statusWriter) Update(ctx context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	return s.c.write("status", object, func(actual client.Object) error {
		return s.c.p.w.suite.api.Status().Update(patiently(ctx), actual)
	})
}

// write is a step: it is counted, and may be cut.
func (c *cachedClient) write(verb string, object client.Object, do func(actual client.Object) error) error {
	if c.p.isDead() {
		return errDead
	}
	w := c.p.w
	k := keyOf(object)
	outcome := w.reach(c.p, step{api: true, verb: verb, on: k.String(), object: object})
	if outcome.before != nil {
		w.note("%s: %s %s: %v", c.p.name, verb, k, outcome.before)
		return outcome.before
	}
	actual := w.untranslated(object)
	if err := do(actual); err != nil {
		w.note("%s: %s %s: %v", c.p.name, verb, k, err)
		return err
	}
	if verb == "delete" {
		w.refresh(k)
		w.note("%s: delete %s", c.p.name, k)
	} else {
		w.stored(actual)
		w.note("%s: %s %s %s", c.p.name, verb, k, summary(actual))
		if isGone(actual) {
			w.checkRelease(actual)
		}
		assign(object, w.translated(actual))
	}
	return outcome.after
}

// liveReader reads from the API server, within the run's namespaces.
type liveReader struct{ p *process }

func (l *liveReader) Get(ctx context.Context, name client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if l.p.isDead() {
		return errDead
	}
	if err := l.p.w.suite.api.Get(patiently(ctx), name, object, options...); err != nil {
		return err
	}
	if kindOf(object) != "" {
		assign(object, l.p.w.translated(object))
	}
	return nil
}

func (l *liveReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if l.p.isDead() {
		return errDead
	}
	w := l.p.w
	var wanted client.ListOptions
	wanted.ApplyOptions(options)
	for _, place := range w.places {
		namespace := w.namespaceOf(place)
		if wanted.Namespace != "" && wanted.Namespace != namespace {
			continue
		}
		found := list.DeepCopyObject().(client.ObjectList)
		if err := w.suite.api.List(patiently(ctx), found, append(options, client.InNamespace(namespace))...); err != nil {
			return err
		}
		if err := meta.EachListItem(found, func(object runtime.Object) error {
			add(list, w.translated(object.(client.Object)))
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// indexes are the cache indexes that the operator registers.
type indexes map[string]client.IndexerFunc

func (x indexes) IndexField(_ context.Context, object client.Object, field string, of client.IndexerFunc) error {
	x[kindOf(object)+"."+field] = of
	return nil
}

func matches(x indexes, object client.Object, selector fields.Requirements) bool {
	for _, wanted := range selector {
		of, ok := x[kindOf(object)+"."+wanted.Field]
		if !ok {
			return false // another kind than the list's; add omits it anyway
		}
		found := false
		for _, value := range of(object) {
			found = found || value == wanted.Value
		}
		if !found {
			return false
		}
	}
	return true
}

// add appends an object to a list of its kind; other kinds are omitted.
func add(list client.ObjectList, object client.Object) {
	items, item := reflect.ValueOf(list).Elem().FieldByName("Items"), reflect.ValueOf(object).Elem()
	if items.Type().Elem() == item.Type() {
		items.Set(reflect.Append(items, item))
	}
}

func assign(to, from client.Object) { reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem()) }

// untranslated returns an object as the API server stores it: with its own UID.
func (w *world) untranslated(object client.Object) client.Object {
	actual := object.DeepCopyObject().(client.Object)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for uid, known := range w.births {
		if known.uid == object.GetUID() {
			actual.SetUID(uid)
		}
	}
	return actual
}

// translated returns an object as a run shows it: its UID and its times of creation and deletion
// depend on the run alone.
func (w *world) translated(actual client.Object) client.Object {
	object := actual.DeepCopyObject().(client.Object)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	born := w.births[actual.GetUID()]
	if born == nil {
		k := keyOf(actual)
		w.generations[k]++
		born = &birth{uid: types.UID(fmt.Sprintf("%s-%d", k, w.generations[k])), at: w.nowSeconds()}
		w.births[actual.GetUID()] = born
	}
	object.SetUID(born.uid)
	object.SetCreationTimestamp(born.at)
	if object.GetDeletionTimestamp() != nil {
		if born.deleted == nil {
			now := w.nowSeconds()
			born.deleted = &now
		}
		object.SetDeletionTimestamp(born.deleted)
	}
	return object
}
