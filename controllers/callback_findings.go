package controllers

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// CallbackFindings passes the results of test callbacks from the reconciler that sends them to the
// one that writes a Merchant's status. They are in memory: after a restart the condition is
// unchanged until the next test callback.
type CallbackFindings struct {
	mutex   sync.Mutex
	found   map[types.NamespacedName]callbackFinding
	changed func(types.NamespacedName)
}

type callbackFinding struct {
	merchant  types.UID
	condition metav1.Condition
}

// NewCallbackFindings returns an empty CallbackFindings.
func NewCallbackFindings() *CallbackFindings {
	return &CallbackFindings{found: map[types.NamespacedName]callbackFinding{}}
}

// put stores the finding about a Merchant's current spec, and starts a reconcile of the Merchant.
func (f *CallbackFindings) put(m *v1alpha1.Merchant, condition metav1.Condition) {
	condition.Type, condition.ObservedGeneration = v1alpha1.ConditionCallbacksReachable, m.Generation
	condition.LastTransitionTime = metav1.Time{} // set when it is written
	key, finding := client.ObjectKeyFromObject(m), callbackFinding{m.UID, condition}
	f.mutex.Lock()
	same := f.found[key] == finding
	f.found[key] = finding
	changed := f.changed
	f.mutex.Unlock()
	if !same && changed != nil {
		changed(key)
	}
}

func (f *CallbackFindings) get(m *v1alpha1.Merchant) (condition metav1.Condition, known bool) {
	if f == nil {
		return metav1.Condition{}, false
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	finding, known := f.found[client.ObjectKeyFromObject(m)]
	return finding.condition, known && finding.merchant == m.UID
}

func (f *CallbackFindings) forget(key types.NamespacedName) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.found, key)
}

// listen sets what is called when the finding about a Merchant has changed.
func (f *CallbackFindings) listen(changed func(types.NamespacedName)) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.changed = changed
}
