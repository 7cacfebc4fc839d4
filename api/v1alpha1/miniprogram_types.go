package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// VirtualGoods defines whether the operator reports paid Orders as delivered.
// +kubebuilder:validation:Enum=Ignore;Ship
type VirtualGoods string

// What a MiniProgram sells.
const (
	// VirtualGoodsIgnore: shops create Shipments.
	VirtualGoodsIgnore VirtualGoods = "Ignore"
	// VirtualGoodsShip: the operator reports each paid Order as delivered.
	VirtualGoodsShip VirtualGoods = "Ship"
)

// AppSecretReference names one key of a Secret in the namespace of the MiniProgram.
type AppSecretReference struct {
	// name of the Secret, in the MiniProgram's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// key in the Secret that holds the AppSecret.
	// +optional
	// +default="appSecret"
	// +kubebuilder:default=appSecret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// WeixinEndpoint is the address of the server API of mini programs, which has another host than WeChat Pay.
// +kubebuilder:validation:XValidation:rule="isURL(self.url) && self.url.matches('^https://[^?#@\\\\s\\\\p{Cc}]+$') && url(self.url).getHostname().size() > 0",fieldPath=".url",message="endpoint.url must be an https URL without user, query and fragment, such as https://api.weixin.qq.com"
type WeixinEndpoint struct {
	// url of the host that is called, https only. WeChat's are https://api.weixin.qq.com (the default),
	// https://api2.weixin.qq.com, and those of its regions, such as https://sh.api.weixin.qq.com. It may also be a
	// proxy or a simulator. The platform team allows hosts by --endpoint-hosts.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	URL string `json:"url,omitempty"`

	// caBundle is PEM, base64 encoded in YAML: the certificate authorities to trust instead of the system's. The
	// certificate of the endpoint is always verified; this can't be disabled.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?$`
	CABundle []byte `json:"caBundle,omitempty"`
}

// MiniProgramNamespaces defines whose Shipments may use a MiniProgram.
// +kubebuilder:validation:XValidation:rule="self.from != 'Selector' || has(self.selector)",fieldPath=".selector",message="allowedNamespaces.selector is required when allowedNamespaces.from is Selector"
// +kubebuilder:validation:XValidation:rule="self.from == 'Selector' || !has(self.selector)",fieldPath=".selector",message="allowedNamespaces.selector is only for allowedNamespaces.from Selector"
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && e.values.size() > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || e.values.size() == 0))",fieldPath=".selector",message="allowedNamespaces.selector.matchExpressions: the operator is In or NotIn with values, or Exists or DoesNotExist without"
type MiniProgramNamespaces struct {
	// from is Same (the MiniProgram's own namespace), All, or Selector.
	// +optional
	// +default="Same"
	// +kubebuilder:default=Same
	From FromNamespaces `json:"from,omitempty"`

	// selector selects namespaces by their labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// MiniProgramSpec identifies the mini program and its address.
type MiniProgramSpec struct {
	// appID of the mini program (appid), under which its payers have their openids. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="appID is immutable: create another MiniProgram for another appid"
	AppID string `json:"appID,omitempty"`

	// appSecretRef names the Secret entry that holds the AppSecret. It is not a key of WeChat Pay.
	// +required
	AppSecretRef AppSecretReference `json:"appSecretRef,omitzero"`

	// endpoint is the address of the server API, if it is not https://api.weixin.qq.com.
	// +optional
	Endpoint *WeixinEndpoint `json:"endpoint,omitempty"`

	// allowedNamespaces defines in which namespaces Shipments may use this MiniProgram.
	// +optional
	// +kubebuilder:default={from: Same}
	AllowedNamespaces MiniProgramNamespaces `json:"allowedNamespaces,omitzero"`

	// virtualGoods is Ignore (shops create Shipments), or Ship: the operator reports each JSAPI Order that is paid
	// under this appid as delivered, by a Shipment with the Order's name. Use Ship only if everything that the shop
	// sells is delivered at once, such as memberships.
	// +optional
	// +default="Ignore"
	// +kubebuilder:default=Ignore
	VirtualGoods VirtualGoods `json:"virtualGoods,omitempty"`
}

// MiniProgramStatus is WeChat's answer about the mini program.
type MiniProgramStatus struct {
	// conditions of the MiniProgram: Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MiniProgram is a mini program with its AppSecret, with which the operator reports to WeChat after a payment.
// Shipments find their MiniProgram by the appid of their Order.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxp,categories=wechatpay
// +kubebuilder:printcolumn:name="APPID",type=string,JSONPath=`.spec.appID`
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="REASON",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="VIRTUAL GOODS",type=string,JSONPath=`.spec.virtualGoods`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type MiniProgram struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec identifies the mini program and its address.
	// +required
	Spec MiniProgramSpec `json:"spec,omitzero"`

	// status is WeChat's answer about the mini program.
	// +optional
	Status MiniProgramStatus `json:"status,omitzero"`
}

// MiniProgramList is a list of MiniPrograms.
//
// +kubebuilder:object:root=true
type MiniProgramList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MiniProgram `json:"items"`
}
