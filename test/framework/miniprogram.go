package framework

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

// AppSecret is that of the mini program of AppID.
const AppSecret = "0123456789abcdef0123456789abcdef"

// OpenWeixin starts a simulated api.weixin.qq.com with the mini program of AppID, and creates the Secret
// that NewMiniProgram names. Payments are known to it at once, unless change says otherwise.
func (s *Shop) OpenWeixin(change ...func(*weixin.Options)) *weixin.Simulator {
	s.T.Helper()
	certificate, err := s.WeChat.ServerCertificate()
	s.Must(err)
	options := weixin.Options{
		Certificate: certificate, Payments: weixin.WeChatPay(s.WeChat), TimeScale: 60,
		Rules:        weixin.Rules{OrderDelay: -time.Nanosecond},
		MiniPrograms: []weixin.MiniProgram{{AppID: AppID, AppSecret: AppSecret}},
	}
	for _, c := range change {
		c(&options)
	}
	opened, err := weixin.New(options)
	s.Must(err)
	s.T.Cleanup(opened.Close)
	s.Weixin = opened
	s.Create(s.NewAppSecret(s.Namespace, AppSecret))
	return opened
}

// NewAppSecret returns the Secret that NewMiniProgram names.
func (s *Shop) NewAppSecret(namespace, secret string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mini-program"}, Data: map[string][]byte{"appSecret": []byte(secret)}}
}

// NewMiniProgram returns the MiniProgram of AppID with the simulator as its endpoint.
func (s *Shop) NewMiniProgram(name string, change ...func(*v1alpha1.MiniProgram)) *v1alpha1.MiniProgram {
	return changed(&v1alpha1.MiniProgram{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name},
		Spec: v1alpha1.MiniProgramSpec{
			AppID: AppID, AppSecretRef: v1alpha1.AppSecretReference{Name: "mini-program"},
			Endpoint: &v1alpha1.WeixinEndpoint{URL: s.Weixin.URL(), CABundle: s.WeChat.CAPEM()},
		},
	}, change)
}

// NewShipment returns a Shipment of an Order, of one parcel.
func (s *Shop) NewShipment(name, order string, change ...func(*v1alpha1.Shipment)) *v1alpha1.Shipment {
	return changed(&v1alpha1.Shipment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name},
		Spec: v1alpha1.ShipmentSpec{
			OrderRef: v1alpha1.OrderReference{Name: order}, Logistics: v1alpha1.LogisticsExpress,
			Parcels: []v1alpha1.Parcel{{TrackingNumber: "T-" + name, Carrier: "STO", Items: "肥皂 x1"}},
		},
	}, change)
}

// WaitMiniProgram waits until a MiniProgram has a condition in a state.
func (s *Shop) WaitMiniProgram(name, state string) *v1alpha1.MiniProgram {
	s.T.Helper()
	return waitFor(s, &v1alpha1.MiniProgram{}, name, state)
}

// WaitShipment waits until a Shipment has a condition in a state.
func (s *Shop) WaitShipment(name, state string) *v1alpha1.Shipment {
	s.T.Helper()
	return waitFor(s, &v1alpha1.Shipment{}, name, state)
}
