package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memory is what a reconciler remembers about each object while it exists. Only the reconcile of an
// object uses what is remembered about it, and the workqueue runs one of them at a time, so reading
// and changing it needs no lock.
type memory[T any] struct {
	mutex   sync.Mutex
	objects map[types.NamespacedName]*remembered[T]
}

type remembered[T any] struct {
	uid  types.UID
	what T
}

// of returns what is remembered about an object. For a recreated object it is empty.
func (m *memory[T]) of(object client.Object) *T {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	key := client.ObjectKeyFromObject(object)
	known := m.objects[key]
	if known == nil || known.uid != object.GetUID() {
		if m.objects == nil {
			m.objects = map[types.NamespacedName]*remembered[T]{}
		}
		known = &remembered[T]{uid: object.GetUID()}
		m.objects[key] = known
	}
	return &known.what
}

// forget drops what is remembered about an object that is gone, and returns its UID.
func (m *memory[T]) forget(key types.NamespacedName) (uid types.UID, known bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if gone, known := m.objects[key]; known {
		delete(m.objects, key)
		return gone.uid, true
	}
	return "", false
}
