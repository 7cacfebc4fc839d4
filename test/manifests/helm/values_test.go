package helm_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	system    = "wechatpay-operator-system"
	manager   = "Deployment/wechatpay-operator-controller-manager"
	callbacks = "Deployment/wechatpay-operator-callbacks"
	console   = "Deployment/wechatpay-operator-console"
)

// TestValues renders values and looks for what they are to change.
func TestValues(t *testing.T) {
	for _, test := range []struct {
		name, values string
		// has are pieces of JSON by object; hasNot are objects, or pieces after a colon, that must not be there.
		has    map[string][]string
		hasNot []string
	}{
		{name: "image", values: `image: {repository: registry.example.com/wechatpay-operator, tag: v1.2.3}`,
			has: map[string][]string{manager: {`"image":"registry.example.com/wechatpay-operator:v1.2.3"`}}},
		{name: "digest", values: `image: {tag: v1, digest: "sha256:` + strings.Repeat("a", 64) + `"}`,
			has: map[string][]string{manager: {`"image":"wechatpay-operator@sha256:aaaa`}}},
		{name: "pods", values: `{replicas: 3, nodeSelector: {disk: fast}, tolerations: [{key: pay, operator: Exists}], podAnnotations: {a: b}, podLabels: {c: d},
			imagePullSecrets: [{name: pull}], affinity: {nodeAffinity: {}}, resources: {requests: {cpu: 1}}}`,
			has: map[string][]string{manager: {`"replicas":3`, `"nodeSelector":{"disk":"fast"}`, `"tolerations":[{"key":"pay","operator":"Exists"}]`, `"a":"b"`, `"c":"d"`,
				`"imagePullSecrets":[{"name":"pull"}]`, `"affinity":{"nodeAffinity":{}}`, `"requests":{"cpu":1`}}},
		{name: "flags", values: `{notifyBaseURL: "https://pay.example.com", extraArgs: [--max-concurrent-reconciles=32]}`,
			has: map[string][]string{manager: {`"--max-concurrent-reconciles=32","--notify-base-url=https://pay.example.com"`}}},
		{name: "hosts", values: `{endpointHosts: ["*.example.com", "api.mch.weixin.qq.com:443"], callbacks: {separate: true}}`,
			has: map[string][]string{manager: {`"--endpoint-hosts=*.example.com,api.mch.weixin.qq.com:443"`}, callbacks: {`"--endpoint-hosts=*.example.com,api.mch.weixin.qq.com:443"`}}},
		{name: "hosts of receivers", values: `{eventHosts: ["*.shop.example", "orders.example.com:8443"], callbacks: {separate: true}}`,
			has: map[string][]string{manager: {`"--event-hosts=*.shop.example,orders.example.com:8443"`}}, hasNot: []string{callbacks + `:event-hosts`}},
		{name: "ledger", values: `{ledger: {secretName: books}, callbacks: {separate: true}}`,
			has:    map[string][]string{manager: {`"--ledger-dsn-file=/etc/wechatpay-operator/ledger/dsn"`, `"secretName":"books"`, `"mountPath":"/etc/wechatpay-operator/ledger","name":"ledger","readOnly":true`}},
			hasNot: []string{callbacks + `:ledger`}},
		{name: "no ledger", values: `{}`, hasNot: []string{manager + `:ledger`}},
		{name: "no receivers", values: `{}`, hasNot: []string{manager + `:event-hosts`}},
		{name: "WeChat's own hosts", values: `{}`, hasNot: []string{manager + `:endpoint-hosts`}},
		{name: "no metrics", values: `metrics: {enabled: false}`,
			has:    map[string][]string{manager: {`"--metrics-bind-address=0"`}},
			hasNot: []string{manager + `:"name":"metrics"`, `NetworkPolicy/wechatpay-operator-metrics:"ingress"`, "ServiceMonitor/wechatpay-operator"}},
		{name: "service monitor", values: `metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}`,
			has: map[string][]string{"ServiceMonitor/wechatpay-operator": {`"release":"prometheus"`, `"scheme":"https"`}, "Service/wechatpay-operator-metrics": {`"port":8443`}}},
		{name: "no network policies", values: `networkPolicy: {enabled: false}`,
			hasNot: []string{"NetworkPolicy/wechatpay-operator-notify", "NetworkPolicy/wechatpay-operator-metrics", "NetworkPolicy/wechatpay-operator-egress"}},
		{name: "API server", values: `networkPolicy: {apiServer: {cidrs: [10.96.0.1/32], ports: [6443]}, extraEgress: [{ports: [{port: 8443}]}]}`,
			has:    map[string][]string{"NetworkPolicy/wechatpay-operator-egress": {`"cidr":"10.96.0.1/32"}}]`, `{"ports":[{"port":8443}]}`}},
			hasNot: []string{`NetworkPolicy/wechatpay-operator-egress:"cidr":"10.0.0.0/8"`}},
		{name: "priority of others", values: `priorityClass: {create: false, name: business}`,
			has: map[string][]string{manager: {`"priorityClassName":"business"`}}, hasNot: []string{"PriorityClass/wechatpay-operator", "PriorityClass/business"}},
		{name: "no priority", values: `priorityClass: {name: ""}`, hasNot: []string{"PriorityClass/wechatpay-operator", manager + `:"priorityClassName"`}},
		{name: "no budget", values: `podDisruptionBudget: {enabled: false}`, hasNot: []string{"PodDisruptionBudget/wechatpay-operator-controller-manager"}},
		{name: "identity", values: `serviceAccount: {annotations: {cloud: role}}`,
			has: map[string][]string{"ServiceAccount/wechatpay-operator-controller-manager": {`"annotations":{"cloud":"role"}`}}},
		{name: "separate callbacks", values: `{notifyBaseURL: "https://pay.example.com", callbacks: {separate: true, replicas: 4, apiKeySecrets: {shop: [shop-wechatpay]}}}`,
			has: map[string][]string{
				manager:   {`"--notify-bind-address=0"`, `"--notify-base-url=https://pay.example.com"`},
				callbacks: {`"replicas":4`, `"--controllers=false"`, `"serviceAccountName":"wechatpay-operator-callbacks"`},
				"Role/wechatpay-operator-callbacks-api-keys": {`"namespace":"shop"`, `"resourceNames":["shop-wechatpay"]`, `"verbs":["get"]`},
			},
			hasNot: []string{manager + `:"lifecycle"`, manager + `:"name":"notify"`, `ClusterRole/wechatpay-operator-callbacks:secrets`}},
		{name: "one namespace", values: `scope: Namespace`,
			has:    map[string][]string{manager: {`"--watch-namespaces=$(POD_NAMESPACE)"`, `"--metrics-secure=false"`}, "Role/wechatpay-operator-manager": {`"secrets"`}},
			hasNot: []string{"ClusterRole/wechatpay-operator-manager", "PriorityClass/wechatpay-operator", "CustomResourceDefinition/orders.wechatpay-operator.io"}},
		{name: "kinds that go with the release", values: `crds: {keep: false}`,
			hasNot: []string{"CustomResourceDefinition/orders.wechatpay-operator.io:resource-policy"}},
		{name: "kinds that stay", values: `{}`,
			has: map[string][]string{"CustomResourceDefinition/orders.wechatpay-operator.io": {`"helm.sh/resource-policy":"keep"`}}},
		{name: "parts of others", values: `{crds: {enabled: false}, policies: {enabled: false}, roles: {enabled: false}}`,
			hasNot: []string{"CustomResourceDefinition/orders.wechatpay-operator.io", "ValidatingAdmissionPolicy/wechatpay-operator-refund-approval", "ClusterRole/wechatpay-operator-shop"}},
		{name: "ingress", values: `ingress: {enabled: true, host: pay.example.com, className: nginx, annotations: {cert-manager.io/cluster-issuer: letsencrypt}}`,
			has: map[string][]string{"Ingress/wechatpay-operator-notify": {`"ingressClassName":"nginx"`, `"path":"/notify/"`, `"hosts":["pay.example.com"]`, `letsencrypt`}}},
		{name: "route", values: `httpRoute: {enabled: true, parentRefs: [{name: public, namespace: gateways}], hostnames: [pay.example.com]}`,
			has: map[string][]string{"HTTPRoute/wechatpay-operator-notify": {`"parentRefs":[{"name":"public","namespace":"gateways"}]`, `"value":"/notify/"`}}},
		{name: "no console", values: `{}`, hasNot: []string{console, "Service/wechatpay-operator-console", "NetworkPolicy/wechatpay-operator-console"}},
		{name: "console", values: `console: {enabled: true, replicas: 2, sessionKeysSecret: keys, namespaces: [shop, next-door], extraArgs: [--watch-duration=1m]}`,
			has: map[string][]string{
				console: {`"--login=token","--namespaces=shop,next-door","--session-key-file=/etc/wechatpay-console/session/sessionKeys","--watch-duration=1m"`, `"secretName":"keys"`,
					`"automountServiceAccountToken":false`, `"command":["/console"]`, `"replicas":2`},
				"PodDisruptionBudget/wechatpay-operator-console": {`"minAvailable":1`},
				"NetworkPolicy/wechatpay-operator-console":       {`"wechatpay-operator.io/ingress":"true"`},
			}},
		{name: "console behind a proxy", values: `console: {enabled: true, login: proxy, replicas: 2, signOutURL: /oauth2/sign_out, sessionKeysSecret: unused,
			httpRoute: {enabled: true, parentRefs: [{name: public}], hostnames: [console.example.com], backend: oauth2-proxy}}`,
			has: map[string][]string{
				console:                                {`"--login=proxy","--sign-out-url=/oauth2/sign_out"]`},
				"HTTPRoute/wechatpay-operator-console": {`"backendRefs":[{"name":"oauth2-proxy","port":80}]`},
				"NetworkPolicy/wechatpay-operator-console": {`"ingress":[{"from":[{"podSelector":{"matchLabels":{"app.kubernetes.io/name":"oauth2-proxy"}}}]`},
			}, hasNot: []string{console + `:session`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := mustRender(t, system, test.values)
			for key, pieces := range test.has {
				if objects[key] == nil {
					t.Errorf("no %s in %v", key, slices.Sorted(maps.Keys(objects)))
					continue
				}
				for _, piece := range pieces {
					if content := text(t, objects[key]); !strings.Contains(content, piece) {
						t.Errorf("%s has no %s:\n%s", key, piece, content)
					}
				}
			}
			for _, line := range test.hasNot {
				key, piece, _ := strings.Cut(line, ":")
				if objects[key] != nil && strings.Contains(text(t, objects[key]), piece) {
					t.Errorf("%s is there", line)
				}
			}
		})
	}
}

// TestNonsense: the schema refuses what would fail later, or silently do nothing, and names the value.
func TestNonsense(t *testing.T) {
	for values, where := range map[string]string{
		`replica: 2`:                                         "replica",
		`replicas: 0`:                                        "/replicas",
		`replicas: two`:                                      "/replicas",
		`scope: Shop`:                                        "/scope",
		`image: {tag: "v1 beta"}`:                            "/image/tag",
		`image: {digest: "sha256:abc"}`:                      "/image/digest",
		`image: {pullPolicy: Sometimes}`:                     "/image/pullPolicy",
		`notifyBaseURL: http://pay.test`:                     "/notifyBaseURL",
		`notifyBaseURL: https://pay.test:8`:                  "/notifyBaseURL",
		`notifyBaseURL: https://pay.test/?a`:                 "/notifyBaseURL",
		`extraArgs: [max]`:                                   "/extraArgs/0",
		`ingress: {enabled: true}`:                           "/ingress/host",
		`ingress: {enabled: true, host: "https://pay.test"}`: "/ingress/host",
		`httpRoute: {enabled: true, hostnames: [pay.test]}`:  "/httpRoute/parentRefs",
		`{scope: Namespace, callbacks: {separate: true}}`:    "/callbacks/separate",
		`callbacks: {apiKeySecrets: {shop: []}}`:             "/callbacks/apiKeySecrets/shop",
		`console: {enabled: true, replicas: 2}`:              "/console/sessionKeysSecret",
		`console: {login: basic}`:                            "/console/login",
		`console: {signOutURL: "javascript:alert(1)"}`:       "/console/signOutURL",
		`console: {signOutURL: "//evil.test"}`:               "/console/signOutURL",
		`console: {httpRoute: {enabled: true}}`:              "/console/httpRoute",
		`networkPolicy: {apiServer: {ports: [0]}}`:           "/networkPolicy/apiServer/ports/0",
		`networkPolicy: {ingressNamespaceLabels: {wechatpay-operator.io/ingress: null}}`: "/networkPolicy/ingressNamespaceLabels",
	} {
		if _, err := render(t, system, values); err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v, want a complaint about %s", values, err, where)
		}
	}
}
