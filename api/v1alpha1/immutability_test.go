package v1alpha1_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

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
}

var kinds = map[string]mutability{
	"Merchant": {
		build: merchant,
		immutable: map[string]field{
			"mchID": {"1900000109", "1900000110"},
			"appID": {"wxd678efh567hg6787", "wxd678efh567hg6788"},
		},
		mutable: map[string]field{
			"protocol":                   {"V2", "V2"},
			"signType":                   {"HMAC-SHA256", "MD5"},
			"apiKeySecretRef.name":       {"shop-wechatpay", "shop-wechatpay-2"},
			"apiKeySecretRef.key":        {"apiKey", "key"},
			"certificateSecretRef.name":  {"cert", "cert-2"},
			"notifyBaseURL":              {"https://pay.example.com", "https://pay2.example.com"},
			"endpoint.url":               {"https://api.mch.weixin.qq.com", "https://apihk.mch.weixin.qq.com"},
			"endpoint.backupURL":         {"https://api2.mch.weixin.qq.com", "https://apius.mch.weixin.qq.com"},
			"endpoint.caBundle":          {"YWJj", "ZGVm"},
			"refundApproval":             {"Manual", "Automatic"},
			"latePayment":                {"Hold", "Refund"},
			"allowedNamespaces.from":     {"Same", "All"},
			"allowedNamespaces.numbers":  {"Any", "Prefixed"},
			"allowedNamespaces.selector": {map[string]any{}, map[string]any{"matchLabels": map[string]any{"shop": "yes"}}},
		},
		before: map[string]edit{
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
			"clientIP":              {"203.0.113.7", "203.0.113.8"},
			"expireAfterSeconds":    {int64(3600), int64(3601)},
			"expireTime":            {"2026-11-21T12:00:00Z", "2026-11-21T12:00:01Z"},
			"attach":                {"one", "other"},
			"detail":                {`{"a":1}`, `{"a":2}`},
			"goodsTag":              {"one", "other"},
			"deviceInfo":            {"one", "other"},
			"productID":             {"one", "other"},
			// The second value is none that the enumeration has, which is as good a refusal as any while there is one value.
			"limitPay":      {"no_credit", "no_debit"},
			"receipt":       {"Y", "N"},
			"profitSharing": {"Y", "N"},
			"sceneInfo":     {scene, `{}`},
		},
		mutable: map[string]field{
			"desiredState":            {"Open", "Closed"},
			"ttlSecondsAfterFinished": {int64(60), int64(0)},
		},
	},
	"Refund": {
		build: refund,
		immutable: map[string]field{
			"orderRef.name": {"order-0001", "order-0002"},
			"amount":        {int64(50), int64(51)},
			"outRefundNo":   {"R1", "R2"},
			"reason":        {"质量问题", "质量"},
		},
		mutable: map[string]field{
			"approval": {"Approved", "Denied"},
		},
	},
}

// TestEveryFieldIsCovered fails when a spec has a field of which nobody said whether it may change.
func TestEveryFieldIsCovered(t *testing.T) {
	for kind, m := range kinds {
		t.Run(kind, func(t *testing.T) {
			listed := slices.Sorted(maps.Keys(m.immutable))
			listed = append(listed, slices.Collect(maps.Keys(m.mutable))...)
			slices.Sort(listed)
			var inSchema []string
			schemaOf(t, kind).walk("", func(path string, node schemaNode) {
				path, ours := strings.CutPrefix(path, "spec.")
				if !ours || strings.HasPrefix(path, "allowedNamespaces.selector.") {
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
				all = append(all, set("spec."+path, f.one))
			}
			full := m.build(append(all, named("full-0001"))...)
			full.SetNamespace(ns)
			bare := m.build(named("bare-0001"))
			bare.SetNamespace(ns)
			// Applied rather than created, so that server-side apply owns the fields and can take them away.
			for _, u := range []*unstructured.Unstructured{full, bare} {
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
								t.Errorf("%v blames %q, want spec.%s or its parent", err, fields(err), path)
							}
						})
					}
					immutable := []string{"immutable"}
					// Where the schema refuses first, its words differ; that the field is named is checked all the same.
					var schemaFirst []string

					words := immutable
					if path == "limitPay" {
						words = schemaFirst
					}
					check("change", words, full, set("spec."+path, f.other))

					parent, _, nested := strings.Cut(path, ".")
					optionalParent := nested && !required[parent]
					words = immutable
					if required[path] || path == "payer.openID" {
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
					check("addition", immutable, bare, set("spec."+path, f.one))
					if optionalParent {
						check("removal of the whole "+parent, immutable, full, unset("spec."+parent))
					}
				}
			}

			for _, u := range []*unstructured.Unstructured{full, bare} {
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

// blames tells whether a refusal names the field or the object that it is in, but not the whole spec.
func blames(err error, path string) bool {
	return slices.ContainsFunc(fields(err), func(blamed string) bool {
		return blamed != "spec" && (blamed == "spec."+path || strings.HasPrefix("spec."+path, blamed+"."))
	})
}

func TestMutable(t *testing.T) {
	for kind, m := range kinds {
		ns := namespace(t)
		for path, f := range m.mutable {
			if path == "approval" {
				continue // once only: TestApprovalIsFinal
			}
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
				refused(t, write(t.Context(), u, e), path, "can't go back from Closed to Open")
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
		refused(t, env.Client.Update(t.Context(), u, strict), path, "immutable")
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
			refused(t, env.Client.Update(t.Context(), u, strict), "spec."+path, "immutable")
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
