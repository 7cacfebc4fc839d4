package performance

import (
	"fmt"
	"runtime"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// measureProtocols compares Orders by API v3 with Orders by API v2. They take turns on one stage,
// where the shop's Merchant changes from one protocol to the other. Once the operator and WeChat
// Pay have cores of their own, and once they share them with the control plane.
func measureProtocols(b *bench) {
	if runtime.NumCPU() > 1 {
		b.part("apart", func(b *bench) { compareProtocols(b, true) })
	}
	b.part("together", func(b *bench) { compareProtocols(b, false) })
}

func compareProtocols(b *bench, apart bool) {
	s := b.open(scene{finalizerAtCreation: true, payAfter: payAfter, v3: true, apart: apart})
	s.addV3()
	v2, v3 := &timer{bench: b, cpu: map[string]float64{}}, &timer{bench: b, cpu: map[string]float64{}}
	for i := range flags.rounds {
		s.protocolRound(v2, v1alpha1.ProtocolV2, i+1)
		s.protocolRound(v3, v1alpha1.ProtocolV3, i+1)
		b.say("%d rounds: V2 %.1f a second, V3 %.1f", i+1, v2.rate(), v3.rate())
	}
	b.add("v2", v2.rate(), "orders/s", "created, prepared and paid by API v2")
	b.add("v3", v3.rate(), "orders/s", "created, prepared and paid by API v3")
	b.add("ratio", v3.rate()/v2.rate(), "x", "of the rate by API v2 (%d rounds of %d Orders each)", flags.rounds, flags.orders)
	for _, process := range []string{"kube-apiserver", "etcd", manager, "simulator", self} {
		b.add("cpu/"+process, v3.cpuOf(process), "ms/order", "CPU for an Order by API v3; %.2f by API v2", v2.cpuOf(process))
	}
	b.add("cpu-ratio", clusterCPU(v3)/clusterCPU(v2), "x", "of the CPU by API v2, of control plane and operator")
	b.add("control-plane-ratio", controlPlaneCPU(v3)/controlPlaneCPU(v2), "x", "of it, of the control plane alone")
	// The simulator signs twice for an Order, too: its answer and its callback. It does nothing else by API v3 that
	// costs as much.
	twoSignatures := v3.cpuOf("simulator") - v2.cpuOf("simulator")
	b.add("beside-rsa", (v3.cpuOf(manager)-twoSignatures)/v2.cpuOf(manager), "x",
		"of the operator's CPU by API v2, without its two signatures, at the %.2f ms that the simulator's two take", twoSignatures)
}

// clusterCPU is what an Order takes without the simulator and the load, in milliseconds.
func clusterCPU(t *timer) float64 { return controlPlaneCPU(t) + t.cpuOf(manager) }

func controlPlaneCPU(t *timer) float64 { return t.cpuOf("kube-apiserver") + t.cpuOf("etcd") }

// addV3 gives the shop's Merchant what API v3 needs beside its certificate.
func (s *stage) addV3() {
	platform, err := s.admin.Platform(s.ctx)
	s.must(err)
	s.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "api-v3"}, Data: map[string][]byte{"apiV3Key": []byte(apiV3Key)},
	})
	s.changeSpec(func(m *v1alpha1.MerchantSpec) {
		m.APIV3KeySecretRef.Name = "api-v3"
		m.PublicKeys = []v1alpha1.PublicKey{{ID: platform.PublicKeyID, PEM: platform.PublicKeyPEM}}
	})
}

// changeSpec changes the shop's Merchant, whatever the operator writes meanwhile.
func (s *stage) changeSpec(change func(*v1alpha1.MerchantSpec)) {
	before := s.merchant.DeepCopy()
	change(&s.merchant.Spec)
	s.must(s.cluster.Client.Patch(s.ctx, s.merchant, client.MergeFrom(before)))
}

// protocolRound measures Orders by a protocol, and makes sure that they are.
func (s *stage) protocolRound(t *timer, by v1alpha1.Protocol, round int) {
	s.changeSpec(func(m *v1alpha1.MerchantSpec) { m.Protocol = by })
	namespace := strings.ToLower(fmt.Sprintf("%s-%d", by, round))
	s.operatorRound(t, namespace)
	for _, order := range s.list(namespace) {
		if order.Status.Prepay != nil && order.Status.Prepay.Protocol != by {
			s.Fatalf("%s is prepared by %q", order.Name, order.Status.Prepay.Protocol)
		}
	}
}
