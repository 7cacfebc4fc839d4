package v1alpha1_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A field of a spec with two values that are both legal.
type field struct{ one, other any }

// A kind with every field of its spec: those that may never change, and those that may. TestEveryFieldIsCovered holds
// the lists against the schema.
type mutability struct {
	build     func(...edit) *unstructured.Unstructured
	immutable map[string]field
	mutable   map[string]field
	// before is done first to what gets a mutable field.
	before map[string]edit
	// insteadOf says which field's place a field takes: one of the two is required, and both are
	// too many.
	insteadOf map[string]string
	// once are fields that may be set later, and never again: they have tests of their own.
	once []string
}

var kinds = map[string]mutability{
	"Merchant": {
		build: merchant,
		immutable: map[string]field{
			"mchID": {"1900000109", "1900000110"},
			"appID": {"wxd678efh567hg6787", "wxd678efh567hg6788"},

			"partner.subMchID": {"1900000200", "1900000201"},
			"partner.subAppID": {"wx8888888888888888", "wx8888888888888889"},
		},
		mutable: map[string]field{
			"protocol":                   {"V2", "V3"},
			"signType":                   {"HMAC-SHA256", "MD5"},
			"apiKeySecretRef.name":       {"shop-wechatpay", "shop-wechatpay-2"},
			"apiKeySecretRef.key":        {"apiKey", "key"},
			"apiV3KeySecretRef.name":     {"shop-wechatpay", "shop-wechatpay-2"},
			"apiV3KeySecretRef.key":      {"apiV3Key", "key"},
			"certificateSecretRef.name":  {"cert", "cert-2"},
			"publicKeys":                 {publicKeys("PUB_KEY_ID_0114232134912410000000000000"), publicKeys("PUB_KEY_ID_0114232134912410000000000001")},
			"notifyBaseURL":              {"https://pay.example.com", "https://pay2.example.com"},
			"endpoint.url":               {"https://api.mch.weixin.qq.com", "https://apihk.mch.weixin.qq.com"},
			"endpoint.backupURL":         {"https://api2.mch.weixin.qq.com", "https://apius.mch.weixin.qq.com"},
			"endpoint.caBundle":          {"YWJj", "ZGVm"},
			"refundApproval":             {"Manual", "Automatic"},
			"latePayment":                {"Hold", "Refund"},
			"allowedNamespaces.from":     {"Same", "All"},
			"allowedNamespaces.numbers":  {"Any", "Prefixed"},
			"allowedNamespaces.selector": {map[string]any{}, map[string]any{"matchLabels": map[string]any{"shop": "yes"}}},

			"statements.schedule":                   {"None", "Daily"},
			"statements.foreign.outTradeNoPrefixes": {[]any{"till-"}, []any{"till-", "pos-"}},
			"statements.foreign.appIDs":             {[]any{"wx1"}, []any{"wx2"}},
			"statements.foreign.tradeTypes":         {[]any{"MICROPAY"}, []any{"FACEPAY"}},
		},
		before: map[string]edit{
			"protocol":                   speaksBoth,
			"apiV3KeySecretRef.key":      speaksBoth,
			"endpoint.backupURL":         set("spec.endpoint.url", "https://api.mch.weixin.qq.com"),
			"endpoint.caBundle":          set("spec.endpoint.url", "https://api.mch.weixin.qq.com"),
			"allowedNamespaces.selector": set("spec.allowedNamespaces.from", "Selector"),
		},
	},
	"Order": {
		build: order,
		immutable: map[string]field{
			"merchantRef.name":      {"shop", "shop-2"},
			"merchantRef.namespace": {"payments", "payments-2"},
			"outTradeNo":            {"A0000001", "A0000002"},
			"appID":                 {"wxd678efh567hg6787", "wxd678efh567hg6788"},
			"tradeType":             {"APP", "MWEB"},
			"description":           {"肥皂 x1", "肥皂 x2"},
			"amount.total":          {int64(101), int64(100)},
			"amount.currency":       {"HKD", "USD"},
			"payer.openID":          {"oUpF8uMuAJO", "oUpF8uMuAJP"},
			"payer.subOpenID":       {"oUpF8uMuAJO", "oUpF8uMuAJP"},
			"clientIP":              {"203.0.113.7", "203.0.113.8"},
			"expireAfterSeconds":    {int64(3600), int64(3601)},
			"expireTime":            {"2026-11-21T12:00:00Z", "2026-11-21T12:00:01Z"},
			"attach":                {"one", "other"},
			"goods.costPrice":       {int64(101), int64(102)},
			"goods.receiptID":       {"one", "other"},
			"goods.items":           {items("one"), items("other")},
			"goodsTag":              {"one", "other"},
			"deviceInfo":            {"one", "other"},
			"productID":             {"one", "other"},
			// The second value is none that the enumeration has, which is as good a refusal as any while there is one
			// value.
			"limitPay":       {"no_credit", "no_debit"},
			"receipt":        {"Y", "N"},
			"profitSharing":  {"Y", "N"},
			"store.id":       {"one", "other"},
			"store.name":     {"one", "other"},
			"store.areaCode": {"440305", "440306"},
			"store.address":  {"one", "other"},
			"h5.type":        {"Wap", "iOS"},
			"h5.name":        {"one", "other"},
			"h5.url":         {"https://shop.example.com", "https://shop.example.org"},
			"h5.bundleID":    {"com.example.one", "com.example.other"},
			"h5.packageName": {"com.example.one", "com.example.other"},
		},
		mutable: map[string]field{
			"desiredState":            {"Open", "Closed"},
			"ttlSecondsAfterFinished": {int64(60), int64(0)},
		},
		insteadOf: map[string]string{"payer.subOpenID": "payer.openID"},
	},
	"Refund": {
		build: refund,
		immutable: map[string]field{
			"orderRef.name": {"order-0001", "order-0002"},
			"amount":        {int64(50), int64(51)},
			"outRefundNo":   {"R1", "R2"},
			"reason":        {"质量问题", "质量"},
		},
		once: []string{"approval", "approvalMessage", "abnormal.to", "abnormal.bankType", "abnormal.secretRef.name"},
	},
	"MiniProgram": {
		build:     miniProgram,
		immutable: map[string]field{"appID": {"wxd678efh567hg6787", "wx0000000000000002"}},
		mutable: map[string]field{
			"appSecretRef.name":          {"shop-mini-program", "other"},
			"appSecretRef.key":           {"appSecret", "other"},
			"endpoint.url":               {"https://api.weixin.qq.com", "https://api2.weixin.qq.com"},
			"endpoint.caBundle":          {"QUJD", "QUJE"},
			"allowedNamespaces.from":     {"Same", "All"},
			"allowedNamespaces.selector": {map[string]any{"matchLabels": map[string]any{"a": "b"}}, map[string]any{"matchLabels": map[string]any{"a": "c"}}},
			"virtualGoods":               {"Ignore", "Ship"},
		},
		before: map[string]edit{
			"endpoint.caBundle":          set("spec.endpoint.url", "https://api.weixin.qq.com"),
			"allowedNamespaces.selector": set("spec.allowedNamespaces.from", "Selector"),
		},
	},
	"Shipment": {
		build: shipment,
		immutable: map[string]field{
			"orderRef.name": {"order-0001", "order-0002"},
			"logistics":     {"Express", "SelfPickup"},
			"parcels":       {[]any{parcel()}, []any{parcel("trackingNumber", "T2")}},
			"complete":      {false, true},
		},
	},
	"Statement": {
		build: statement,
		immutable: map[string]field{
			"merchantRef.name": {"shop", "shop-2"},
			"date":             {"2026-11-27", "2026-11-28"},
		},
	},
	"EventSink": {
		build: eventSink,
		mutable: map[string]field{
			"url":            {"https://orders.shop.example/wechatpay", "https://orders.shop.example/events"},
			"caBundle":       {"QUJD", "QUJE"},
			"secretRef.name": {"shop-events", "other"},
			"secretRef.key":  {"signingKey", "other"},
			"types":          {[]any{"OrderPaid"}, []any{"OrderPaid", "OrderClosed"}},
		},
	},
}

// TestEveryFieldIsCovered fails when a spec has a field of which nobody said whether it may change.
func TestEveryFieldIsCovered(t *testing.T) {
	for kind, m := range kinds {
		t.Run(kind, func(t *testing.T) {
			listed := slices.Sorted(maps.Keys(m.immutable))
			listed = slices.AppendSeq(listed, maps.Keys(m.mutable))
			listed = append(listed, m.once...)
			slices.Sort(listed)
			var inSchema []string
			schemaOf(t, kind).walk("", func(path string, node schemaNode) {
				path, ours := strings.CutPrefix(path, "spec.")
				if !ours || strings.HasPrefix(path, "allowedNamespaces.selector.") || strings.Contains(path, "[]") {
					return
				}
				if len(node.Properties) == 0 || path == "allowedNamespaces.selector" {
					inSchema = append(inSchema, path)
				}
			})
			slices.Sort(inSchema)
			if !slices.Equal(listed, inSchema) {
				t.Errorf("fields of the schema and of this test differ:\nschema %q\ntest   %q", inSchema, listed)
			}
		})
	}
}

// The ways in which people and programs change an object.
var writes = map[string]func(ctx context.Context, u *unstructured.Unstructured, edits ...edit) error{
	"update": func(ctx context.Context, u *unstructured.Unstructured, edits ...edit) error {
		changed := u.DeepCopy()
		for _, e := range edits {
			e(changed)
		}
		return env.Client.Update(ctx, changed, strict)
	},
	"merge patch": func(ctx context.Context, u *unstructured.Unstructured, edits ...edit) error {
		changed := u.DeepCopy()
		for _, e := range edits {
			e(changed)
		}
		return env.Client.Patch(ctx, changed, client.MergeFrom(u), strict)
	},
	"server-side apply": func(ctx context.Context, u *unstructured.Unstructured, edits ...edit) error {
		changed := applied(u)
		for _, e := range edits {
			e(changed)
		}
		return apply(ctx, changed)
	},
}

// applied is what a user keeps in a file: no status, none of the metadata that the API server adds.
func applied(u *unstructured.Unstructured) *unstructured.Unstructured {
	file := &unstructured.Unstructured{Object: map[string]any{"spec": u.DeepCopy().Object["spec"]}}
	file.SetGroupVersionKind(u.GroupVersionKind())
	file.SetNamespace(u.GetNamespace())
	file.SetName(u.GetName())
	return file
}

func apply(ctx context.Context, u *unstructured.Unstructured) error {
	body, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return env.Client.Patch(ctx, u, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner("shop"), client.ForceOwnership)
}

// TestImmutable changes, removes and adds every immutable field in every way that there is. A field that could be added
// later would change the parameters of a call that was made already.
func TestImmutable(t *testing.T) {
	for kind, m := range kinds {
		t.Run(kind, func(t *testing.T) {
			ns := namespace(t)
			required := requiredIn(t, kind)

			var all []edit
			for path, f := range m.immutable {
				if m.insteadOf[path] == "" {
					all = append(all, set("spec."+path, f.one))
				}
			}
			oneOfTwo := slices.Collect(maps.Values(m.insteadOf))
			full := m.build(append(all, named("full-0001"))...)
			full.SetNamespace(ns)
			bare := m.build(named("bare-0001"))
			bare.SetNamespace(ns)
			half := full.DeepCopy()
			half.SetName("half-0001")
			for path := range m.immutable {
				if strings.Contains(path, ".") && !requiredInParent(t, kind, path) && !slices.Contains(oneOfTwo, path) {
					unset("spec." + path)(half)
				}
			}
			// Applied rather than created, so that server-side apply owns the fields and can take them away.
			for _, u := range []*unstructured.Unstructured{full, half, bare} {
				if err := apply(t.Context(), u); err != nil {
					t.Fatal(err)
				}
			}

			for path, f := range m.immutable {
				for way, write := range writes {
					check := func(name string, words []string, u *unstructured.Unstructured, e edit) {
						t.Run(strings.Join([]string{path, name, way}, "/"), func(t *testing.T) {
							err := write(t.Context(), u, e)
							refused(t, err, words...)
							if !blames(err, path) {
								t.Errorf("%v blames %v, want spec.%s or its parent", err, causes(err), path)
							}
						})
					}
					immutable := []string{"immutable"}
					// Where the schema refuses first, its words differ; that the field is named is checked all the same.
					var schemaFirst []string

					if taken := m.insteadOf[path]; taken != "" {
						check("in the place of "+taken, immutable, full, func(u *unstructured.Unstructured) {
							unset("spec." + taken)(u)
							set("spec."+path, f.one)(u)
						})
						check("besides "+taken, schemaFirst, full, set("spec."+path, f.one))
						continue
					}
					words := immutable
					if path == "limitPay" {
						words = schemaFirst
					}
					check("change", words, full, set("spec."+path, f.other))

					parent, _, nested := strings.Cut(path, ".")
					optionalParent := nested && !required[parent]
					words = immutable
					if requiredInParent(t, kind, path) || slices.Contains(oneOfTwo, path) {
						words = schemaFirst
					}
					check("removal", words, full, unset("spec."+path))
					if way == "server-side apply" {
						words = schemaFirst // which takes null for a value
					}
					check("null", words, full, set("spec."+path, nil))

					if required[path] {
						continue
					}
					if !optionalParent {
						check("addition", immutable, bare, set("spec."+path, f.one))
						continue
					}
					if !requiredInParent(t, kind, path) && !slices.Contains(oneOfTwo, path) {
						check("addition", immutable, half, set("spec."+path, f.one))
					}
					whole, _, _ := unstructured.NestedMap(full.Object, "spec", parent)
					check("addition of the whole "+parent, immutable, bare, set("spec."+parent, whole))
					check("removal of the whole "+parent, immutable, full, unset("spec."+parent))
				}
			}

			for _, u := range []*unstructured.Unstructured{full, half, bare} {
				now := u.DeepCopy()
				if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), now); err != nil {
					t.Fatal(err)
				}
				if now.GetGeneration() != 1 {
					t.Errorf("%s is at generation %d: something was changed", u.GetName(), now.GetGeneration())
				}
			}
		})
	}
}

// blames tells whether a refusal names the field or the object that it is in: as what it blames, or in the words of the
// rule for the whole spec.
func blames(err error, path string) bool {
	top, _, _ := strings.Cut(path, ".")
	return slices.ContainsFunc(causes(err), func(cause metav1.StatusCause) bool {
		if cause.Field == "spec" {
			return strings.Contains(cause.Message, top+" is immutable")
		}
		return cause.Field == "spec."+path || strings.HasPrefix("spec."+path, cause.Field+".")
	})
}

// TestEveryChangedFieldIsNamed: whoever changed three is not told of one after the other.
func TestEveryChangedFieldIsNamed(t *testing.T) {
	ns := namespace(t)
	u := mustCreate(t, ns, order(set("spec.desiredState", "Closed")))
	for _, e := range []edit{set("spec.attach", "cart"), set("spec.amount.total", int64(1)), set("spec.desiredState", "Open"), set("spec.ttlSecondsAfterFinished", int64(5))} {
		e(u)
	}
	err := env.Client.Update(t.Context(), u, strict)
	refused(t, err, "amount is immutable; attach is immutable; desiredState can't go back from Closed to Open; create another Order")
}

// TestAChangedStatusOpensNoWay: the rules on what is immutable rest where the status changes, since no write changes
// both. Whoever writes the object can't change the status, and whoever writes the status can't change the rest.
func TestAChangedStatusOpensNoWay(t *testing.T) {
	ns := namespace(t)
	for kind, c := range map[string]struct {
		object *unstructured.Unstructured
		change []edit
		status string
	}{
		"Order":  {order(), []edit{set("spec.amount.total", int64(1)), set("spec.attach", "cart")}, "status.outTradeNo"},
		"Refund": {refund(set("spec.approval", "Denied")), []edit{set("spec.amount", int64(1)), set("spec.approval", "Approved")}, "status.outRefundNo"},
	} {
		u := mustCreate(t, ns, c.object)
		for _, status := range []string{"", "number-1", "number-2"} { // before there is a status, when there is one, and when it changed
			if status != "" {
				written := u.DeepCopy()
				for _, e := range append(c.change, set(c.status, status)) {
					e(written)
				}
				if err := env.Client.Status().Update(t.Context(), written, strict); err != nil {
					t.Fatal(err)
				}
				if written.GetGeneration() != 1 {
					t.Errorf("%s: a status update changed the spec: %v", kind, written.Object["spec"])
				}
				u = written
			}
			for _, e := range c.change {
				for way, write := range writes {
					refused(t, write(t.Context(), u, e, set(c.status, "number-3")), "spec")
					if now := u.DeepCopy(); env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), now) != nil || now.GetGeneration() != 1 {
						t.Errorf("%s by %s: %v", kind, way, now.Object["spec"])
					}
				}
			}
		}
	}
}

func TestMutable(t *testing.T) {
	for kind, m := range kinds {
		ns := namespace(t)
		for path, f := range m.mutable {
			for way, write := range writes {
				t.Run(strings.Join([]string{kind, path, way}, "/"), func(t *testing.T) {
					var before []edit
					if e := m.before[path]; e != nil {
						before = append(before, e)
					}
					u := mustCreate(t, ns, m.build(append(before, set("spec."+path, f.one))...))
					if err := write(t.Context(), u, set("spec."+path, f.other)); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// TestTTLMayComeAndGo: it says nothing to WeChat.
func TestTTLMayComeAndGo(t *testing.T) {
	ns := namespace(t)
	const path = "spec.ttlSecondsAfterFinished"
	u := mustCreate(t, ns, order())
	for _, e := range []edit{set(path, int64(60)), unset(path), set(path, int64(0))} {
		e(u)
		if err := env.Client.Update(t.Context(), u, strict); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDesiredState: Open may become Closed; nothing leads back, not even taking the line out of an applied file, which
// would otherwise bring the default back.
func TestDesiredState(t *testing.T) {
	ns := namespace(t)
	const path = "spec.desiredState"
	u := order(set(path, "Closed"))
	u.SetNamespace(ns)
	if err := apply(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	for way, write := range writes {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
			t.Fatal(err)
		}
		for name, e := range map[string]edit{"open again": set(path, "Open"), "removal": unset(path), "null": set(path, nil)} {
			t.Run(name+"/"+way, func(t *testing.T) {
				refused(t, write(t.Context(), u, e), "desiredState can't go back from Closed to Open; create another Order")
			})
		}
		t.Run("closed still/"+way, func(t *testing.T) {
			if err := write(t.Context(), u, set(path, "Closed")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestApprovalIsFinal(t *testing.T) {
	ns := namespace(t)
	const path = "spec.approval"
	for way, write := range writes {
		for decision, opposite := range map[string]string{"Approved": "Denied", "Denied": "Approved"} {
			t.Run(decision+"/"+way, func(t *testing.T) {
				u := refund()
				u.SetNamespace(ns)
				if err := apply(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = env.Client.Delete(context.Background(), u) })
				if err := write(t.Context(), u, set(path, decision)); err != nil {
					t.Fatal(err)
				}
				if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
					t.Fatal(err)
				}
				hasDefault(t, u, path, decision)
				refused(t, write(t.Context(), u, set(path, opposite)), path, "approval is final once decided")
				if way == "server-side apply" {
					// Only the owner of a field takes it away by leaving it out; the owner here is the one who applies.
					u = applied(u)
				}
				refused(t, write(t.Context(), u, unset(path)), path, "approval is final once decided")
				refused(t, write(t.Context(), u, set(path, nil)), path)
				if err := write(t.Context(), u, set(path, decision)); err != nil {
					t.Errorf("the same decision again: %v", err)
				}
			})
		}
	}
}

// TestAbnormalIsSetOnce: not at the creation, later once, and then never another way. That it waits
// until the Refund is Abnormal is not for the kind to say, but for the policy on approvals.
func TestAbnormalIsSetOnce(t *testing.T) {
	ns := namespace(t)
	const path = "spec.abnormal"
	toMerchant := map[string]any{"to": "MerchantBankCard"}
	toUser := toUserCard("refund-0001-card")
	for _, value := range []map[string]any{toMerchant, toUser} {
		refused(t, create(t.Context(), ns, refund(set(path, value))), path, "abnormal can be set only once the Refund is Abnormal, not at its creation")
	}
	for way, write := range writes {
		for name, c := range map[string]struct{ first, other map[string]any }{
			"to a card of the merchant": {toMerchant, toUser}, "to a card of the payer": {toUser, toMerchant},
			"another Secret": {toUser, toUserCard("refund-0001-card-2")},
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				u := refund(set("spec.approval", "Approved"))
				u.SetNamespace(ns)
				if err := apply(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = env.Client.Delete(context.Background(), u) })
				writeStatus(t, u, set("status.conditions", []any{condition("Succeeded", "False", "Abnormal")}))
				if err := write(t.Context(), u, set(path, c.first)); err != nil {
					t.Fatal(err)
				}
				if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
					t.Fatal(err)
				}
				if got, _, _ := unstructured.NestedMap(u.Object, "spec", "abnormal"); !maps.EqualFunc(got, c.first, equality.Semantic.DeepEqual) {
					t.Errorf("%v was stored as %v", c.first, got)
				}
				refused(t, write(t.Context(), u, set(path, c.other)), path, "abnormal is final once set")
				// As for the approval: only the owner of a field takes it away by leaving it out.
				if way == "server-side apply" {
					u = applied(u)
				}
				refused(t, write(t.Context(), u, unset(path)), path, "abnormal is final once set")
				refused(t, write(t.Context(), u, set(path, nil)), path)
				if err := write(t.Context(), u, set(path, c.first)); err != nil {
					t.Errorf("the same again: %v", err)
				}
			})
		}
	}
}

// TestTheProtocolChangesBothWays: with what both need in place the protocol alone is changed, and
// what it does not need may go.
func TestTheProtocolChangesBothWays(t *testing.T) {
	ns := namespace(t)
	const path = "spec.protocol"
	for way, write := range writes {
		t.Run(way, func(t *testing.T) {
			u := merchant(speaksBoth, set(path, "V2"))
			u.SetNamespace(ns)
			if err := apply(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = env.Client.Delete(context.Background(), u) })
			step := func(edits ...edit) error {
				t.Helper()
				if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
					t.Fatal(err)
				}
				return write(t.Context(), u, edits...)
			}
			for _, edits := range [][]edit{
				{set(path, "V3")}, {set(path, "V2")}, {set(path, "V3"), unset("spec.apiKeySecretRef")},
				{set(path, "V2"), set("spec.apiKeySecretRef.name", "shop-wechatpay"), unset("spec.apiV3KeySecretRef"), unset("spec.certificateSecretRef")},
			} {
				if err := step(edits...); err != nil {
					t.Error(err)
				}
			}
			refused(t, step(set(path, "V3")), "spec.apiV3KeySecretRef", "spec.certificateSecretRef")
			refused(t, step(unset("spec.apiKeySecretRef")), "spec.apiKeySecretRef", "apiKeySecretRef is required for protocol V2")
		})
	}
}

// TestEmptyNumberIsNoNumber: "" and absent are the same, so either may become the other, and neither a number.
func TestEmptyNumberIsNoNumber(t *testing.T) {
	ns := namespace(t)
	for path, build := range map[string]func(...edit) *unstructured.Unstructured{"spec.outTradeNo": order, "spec.outRefundNo": refund} {
		u := mustCreate(t, ns, build(set(path, "")))
		for _, e := range []edit{unset(path), set(path, ""), set(path, nil), set(path, "")} {
			e(u)
			if err := env.Client.Update(t.Context(), u, strict); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		set(path, u.GetName())(u)
		refused(t, env.Client.Update(t.Context(), u, strict), strings.TrimPrefix(path, "spec.")+" is immutable")
	}
}

// TestNullIsNoValue: a null that was stored does not open a way to add the field later.
func TestNullIsNoValue(t *testing.T) {
	ns := namespace(t)
	for path, f := range kinds["Order"].immutable {
		if requiredIn(t, "Order")[path] || strings.Contains(path, ".") {
			continue
		}
		t.Run(path, func(t *testing.T) {
			u := mustCreate(t, ns, order(set("spec."+path, nil)))
			set("spec."+path, f.one)(u)
			refused(t, env.Client.Update(t.Context(), u, strict), path+" is immutable")
		})
	}
}

// TestStatusDoesNotReachTheSpec: the right to write status is not the right to approve.
func TestStatusDoesNotReachTheSpec(t *testing.T) {
	ns := namespace(t)
	u := mustCreate(t, ns, refund())
	set("spec.approval", "Approved")(u)
	set("spec.amount", int64(5000))(u)
	set("status.refundID", "50000000382019052709732678859")(u)
	if err := env.Client.Status().Update(t.Context(), u, strict); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
		t.Fatal(err)
	}
	hasDefault(t, u, "spec.amount", int64(50))
	hasDefault(t, u, "status.refundID", "50000000382019052709732678859")
	if _, found, _ := unstructured.NestedString(u.Object, "spec", "approval"); found {
		t.Error("approved by way of status")
	}
}
