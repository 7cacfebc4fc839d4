package policy_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// fieldOfMerchant is a field of MerchantSpec, and what is tried on it: JSON merge patches of spec on the Merchant of merchant().
type fieldOfMerchant struct {
	// guarded fields take the right to read the Secrets.
	guarded bool
	patches []string
	// immutable fields can't be tried: the kind itself refuses.
	immutable bool
	// parts are the fields of it that are tried, so that a new one is not forgotten; empty where there are none.
	parts []string
}

// fieldsOfMerchant has every field. A new one fails TestEveryFieldOfAMerchantIsGuardedOrFree until it is said here which it is: does
// it choose where keys come from, where they are used, or what an answer is verified with?
var fieldsOfMerchant = map[string]fieldOfMerchant{
	"mchID":   {immutable: true},
	"appID":   {immutable: true},
	"partner": {immutable: true},
	// Which of the keys is used follows from it, and not where they come from: those who named the
	// Secrets could read all of them.
	"protocol": {patches: []string{`{"protocol":null}`, `{"protocol":"V3"}`}},
	"signType": {patches: []string{`{"signType":"MD5"}`}},
	"apiKeySecretRef": {guarded: true, parts: []string{"name", "key"}, patches: []string{
		`{"apiKeySecretRef":{"name":"another"}}`, `{"apiKeySecretRef":{"key":"another"}}`, `{"apiKeySecretRef":{"name":"shop-cert"}}`}},
	"apiV3KeySecretRef": {guarded: true, parts: []string{"name", "key"}, patches: []string{
		`{"apiV3KeySecretRef":{"name":"another"}}`, `{"apiV3KeySecretRef":{"key":"another"}}`, `{"apiV3KeySecretRef":null}`}},
	"publicKeys": {guarded: true, parts: []string{"id", "pem"}, patches: []string{
		`{"publicKeys":[{"id":"PUB_KEY_ID_1","pem":"-----BEGIN PUBLIC KEY-----\nTUlORQ==\n-----END PUBLIC KEY-----"}]}`,
		`{"publicKeys":[{"id":"PUB_KEY_ID_2","pem":"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}]}`, `{"publicKeys":null}`}},
	"certificateSecretRef": {guarded: true, parts: []string{"name"}, patches: []string{
		`{"certificateSecretRef":{"name":"another"}}`, `{"certificateSecretRef":null}`}},
	"notifyBaseURL": {guarded: true, patches: []string{`{"notifyBaseURL":"https://mine.example.com"}`, `{"notifyBaseURL":null}`}},
	"endpoint": {guarded: true, parts: []string{"url", "backupURL", "caBundle"}, patches: []string{
		`{"endpoint":{"url":"https://mine.example.com"}}`, `{"endpoint":{"backupURL":"https://mine.example.com"}}`, `{"endpoint":{"backupURL":null}}`,
		`{"endpoint":{"caBundle":"TUlORQ=="}}`, `{"endpoint":{"caBundle":null}}`, `{"endpoint":null}`}},
	"refundApproval":    {patches: []string{`{"refundApproval":null}`}},
	"latePayment":       {patches: []string{`{"latePayment":"Refund"}`}},
	"statements":        {patches: []string{`{"statements":{"schedule":"Daily"}}`}},
	"allowedNamespaces": {patches: []string{`{"allowedNamespaces":{"from":"All"}}`}},
}

func jsonNames(of reflect.Type) []string {
	var names []string
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func TestEveryFieldOfAMerchantIsGuardedOrFree(t *testing.T) {
	for _, name := range jsonNames(reflect.TypeFor[v1alpha1.MerchantSpec]()) {
		field, ok := fieldsOfMerchant[name]
		switch {
		case !ok:
			t.Errorf("nobody said whether spec.%s takes the right to read the Secrets: fieldsOfMerchant does not have it", name)
		case !field.immutable && len(field.patches) == 0:
			t.Errorf("spec.%s is not tried", name)
		case strings.HasSuffix(name, "SecretRef") && (!field.guarded || !namesSecret(t, merchant("any"), name)):
			t.Errorf("spec.%s has to be guarded, and merchant() has to name a Secret of its own in it", name)
		}
	}
	for name, of := range map[string]reflect.Type{
		"apiKeySecretRef": reflect.TypeFor[v1alpha1.SecretKeyReference](), "certificateSecretRef": reflect.TypeFor[v1alpha1.SecretReference](),
		"apiV3KeySecretRef": reflect.TypeFor[v1alpha1.APIV3KeyReference](), "publicKeys": reflect.TypeFor[v1alpha1.PublicKey](),
		"endpoint": reflect.TypeFor[v1alpha1.Endpoint](),
	} {
		if got := jsonNames(of); !slices.Equal(got, fieldsOfMerchant[name].parts) {
			t.Errorf("spec.%s has the fields %q, and %q are tried", name, got, fieldsOfMerchant[name].parts)
		}
	}
}

// namesSecret reports whether a reference of a Merchant names a Secret that no other one names.
func namesSecret(t *testing.T, m *v1alpha1.Merchant, reference string) bool {
	t.Helper()
	without, err := patched(m, `{"`+reference+`":null}`)
	if err != nil {
		t.Fatal(err)
	}
	return len(without.Spec.SecretNames()) == len(m.Spec.SecretNames())-1
}

// hidden fails unless the policy on Secrets refused, in words that help.
func hidden(t *testing.T, err error, user string, secrets ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%v, want Forbidden", err)
		return
	}
	words := append(slices.Clone(secrets), "ValidatingAdmissionPolicy 'wechatpay-operator-merchant-secrets'", user, `"get"`, ") in namespace "+ns, "resourceNames")
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// The ways in which a patch of the spec can be written. All are dry runs, so that the Merchant stays as it is.
var waysOfMerchants = map[string]func(ctx context.Context, c client.Client, stored *v1alpha1.Merchant, patch string) error{
	"merge patch": func(ctx context.Context, c client.Client, stored *v1alpha1.Merchant, patch string) error {
		return c.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+patch+`}`)), client.DryRunAll)
	},
	"update": func(ctx context.Context, c client.Client, stored *v1alpha1.Merchant, patch string) error {
		changed, err := patched(stored, patch)
		if err != nil {
			return err
		}
		return c.Update(ctx, changed, client.DryRunAll)
	},
	"server-side apply": func(ctx context.Context, c client.Client, stored *v1alpha1.Merchant, patch string) error {
		changed, err := patched(stored, patch)
		if err != nil {
			return err
		}
		return applyMerchant(ctx, c, changed, client.DryRunAll)
	},
}

// patched is a Merchant with a merge patch on its spec.
func patched(stored *v1alpha1.Merchant, patch string) (*v1alpha1.Merchant, error) {
	raw, err := json.Marshal(stored.Spec)
	if err != nil {
		return nil, err
	}
	var spec, change map[string]any
	for document, into := range map[string]*map[string]any{string(raw): &spec, patch: &change} {
		if err := json.Unmarshal([]byte(document), into); err != nil {
			return nil, err
		}
	}
	merge(spec, change)
	if raw, err = json.Marshal(spec); err != nil {
		return nil, err
	}
	changed := stored.DeepCopy()
	changed.Spec = v1alpha1.MerchantSpec{}
	return changed, json.Unmarshal(raw, &changed.Spec)
}

func merge(into, change map[string]any) {
	for name, value := range change {
		inner, isObject := value.(map[string]any)
		was, wasObject := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case isObject && wasObject:
			merge(was, inner)
		default:
			into[name] = value
		}
	}
}

func applyMerchant(ctx context.Context, c client.Client, m *v1alpha1.Merchant, options ...client.PatchOption) error {
	body, err := json.Marshal(map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Merchant",
		"metadata": map[string]any{"namespace": m.Namespace, "name": m.Name, "labels": m.Labels}, "spec": m.Spec})
	if err != nil {
		return err
	}
	return c.Patch(ctx, m.DeepCopy(), client.RawPatch(types.ApplyPatchType, body), append(options, client.FieldOwner("gitops"), client.ForceOwnership)...)
}

// TestMerchantsTakeTheRightToTheirSecrets writes each field in each way: by who may read none of
// the Secrets, one, the others, and all.
func TestMerchantsTakeTheRightToTheirSecrets(t *testing.T) {
	ctx := t.Context()
	role := []string{"merchant-admin"}
	setup := person(t, "setup", role)
	lister := person(t, "lister", role, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list", "watch", "create", "update"}})
	half := person(t, "half", role, reads("shop.wechatpay"))
	stored := merchant("guarded")
	named := stored.Spec.SecretNames()
	all := append(slices.Clone(named), "another")
	people := map[string]struct {
		client.Client
		reads []string
	}{
		"setup": {setup, nil}, "lister": {lister, nil}, "half": {half, []string{"shop.wechatpay"}},
	}
	readers := map[string][]string{"keeper": all}
	for _, secret := range named {
		readers["without-"+secret] = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == secret })
	}
	for user, may := range readers {
		people[user] = struct {
			client.Client
			reads []string
		}{person(t, user, role, reads(may...)), may}
	}
	if err := applyMerchant(ctx, admin, stored); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(ctx, client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	for name, field := range fieldsOfMerchant {
		for _, patch := range field.patches {
			for way, write := range waysOfMerchants {
				t.Run(strings.Join([]string{name, patch, way}, "/"), func(t *testing.T) {
					changed, err := patched(stored, patch)
					if err != nil {
						t.Fatal(err)
					}
					// A Secret that is not named any more need not be read.
					needs := changed.Spec.SecretNames()
					for user, may := range people {
						var missing []string
						for _, secret := range needs {
							if field.guarded && !slices.Contains(may.reads, secret) {
								missing = append(missing, secret)
							}
						}
						err := write(t.Context(), may, stored, patch)
						if len(missing) > 0 {
							hidden(t, err, user, missing...)
						} else if err != nil {
							t.Errorf("%s: %v", user, err)
						}
					}
				})
			}
		}
	}
	// What changes nothing is free, in each way: as GitOps tools do it again and again.
	for way, write := range waysOfMerchants {
		if err := write(ctx, setup, stored, `{}`); err != nil {
			t.Errorf("applied again by %s: %v", way, err)
		}
	}
	// As it came from a file, without what the API server fills in.
	again := merchant("guarded")
	again.Labels = map[string]string{"by": "setup"}
	if err := applyMerchant(ctx, setup, again); err != nil {
		t.Errorf("the same file again, with a label: %v", err)
	}
	again.ResourceVersion = ""
	if err := setup.Patch(ctx, again, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/mine"]},"spec":{"latePayment":"Accept"}}`))); err != nil {
		t.Errorf("a finalizer: %v", err)
	}
	// The operator has `get` on every Secret, and writes its finalizer.
	if err := operator.Patch(ctx, again, client.RawPatch(types.JSONPatchType, []byte(`[{"op":"add","path":"/metadata/finalizers/-","value":"wechatpay-operator.io/settle"}]`))); err != nil {
		t.Errorf("the operator's finalizer: %v", err)
	}
}

func TestNewMerchantsTakeTheRightToTheirSecrets(t *testing.T) {
	role := []string{"merchant-admin"}
	setup := person(t, "new-setup", role)
	half := person(t, "new-half", role, reads("shop.wechatpay"))
	keeper := person(t, "new-keeper", role, reads("shop.wechatpay", "shop-apiv3", "shop-cert"))
	withoutV3 := person(t, "new-without-v3", role, reads("shop.wechatpay", "shop-cert"))
	all := person(t, "new-all", role, reads())
	keyOnly := func(spec *v1alpha1.MerchantSpec) {
		spec.CertificateSecretRef, spec.Endpoint, spec.NotifyBaseURL = nil, nil, ""
		spec.APIV3KeySecretRef, spec.PublicKeys = v1alpha1.APIV3KeyReference{}, nil
	}
	v3Only := func(spec *v1alpha1.MerchantSpec) {
		spec.Protocol, spec.APIKeySecretRef, spec.CertificateSecretRef.Name = v1alpha1.ProtocolV3, v1alpha1.SecretKeyReference{}, "shop.wechatpay"
	}
	for what, create := range map[string]func(context.Context, client.Client, *v1alpha1.Merchant) error{
		"create": func(ctx context.Context, c client.Client, m *v1alpha1.Merchant) error {
			return c.Create(ctx, m, client.DryRunAll)
		},
		"generated name": func(ctx context.Context, c client.Client, m *v1alpha1.Merchant) error {
			m.GenerateName, m.Name = m.Name+"-", ""
			return c.Create(ctx, m, client.DryRunAll)
		},
		"server-side apply": func(ctx context.Context, c client.Client, m *v1alpha1.Merchant) error {
			return applyMerchant(ctx, c, m, client.DryRunAll)
		},
	} {
		t.Run(what, func(t *testing.T) {
			ctx := t.Context()
			hidden(t, create(ctx, setup, merchant("second")), "new-setup", "shop.wechatpay", "shop-cert")
			hidden(t, create(ctx, setup, merchant("second", keyOnly)), "new-setup", "shop.wechatpay")
			hidden(t, create(ctx, half, merchant("second")), "new-half", "shop-cert")
			hidden(t, create(ctx, half, merchant("second", v3Only)), "new-half", "shop-apiv3")
			hidden(t, create(ctx, withoutV3, merchant("second")), "new-without-v3", "shop-apiv3")
			for user, c := range map[string]client.Client{"keeper": keeper, "all": all, "admin": admin} {
				if err := create(ctx, c, merchant("second")); err != nil {
					t.Errorf("%s: %v", user, err)
				}
			}
			if err := create(ctx, half, merchant("second", keyOnly)); err != nil {
				t.Errorf("half, where only the one is named: %v", err)
			}
		})
	}
}

// TestMerchantInTwoSteps: to a Secret that one may read first, then to an endpoint of one's own, then back to the shop's Secret: the
// last step is refused, as each is by itself.
func TestMerchantInTwoSteps(t *testing.T) {
	ctx := t.Context()
	thief := person(t, "thief", []string{"merchant-admin"}, reads("mine"))
	stored := merchant("two-steps", func(spec *v1alpha1.MerchantSpec) {
		spec.CertificateSecretRef, spec.APIV3KeySecretRef = nil, v1alpha1.APIV3KeyReference{}
	})
	if err := admin.Create(ctx, stored); err != nil {
		t.Fatal(err)
	}
	write := func(patch string) error {
		return thief.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+patch+`}`)))
	}
	hidden(t, write(`{"endpoint":{"url":"https://mine.example.com"}}`), "thief", "shop.wechatpay")
	for _, patch := range []string{`{"apiKeySecretRef":{"name":"mine"}}`, `{"endpoint":{"url":"https://mine.example.com"}}`} {
		if err := write(patch); err != nil {
			t.Errorf("%s: %v", patch, err)
		}
	}
	hidden(t, write(`{"apiKeySecretRef":{"name":"shop.wechatpay"}}`), "thief", "shop.wechatpay")
	if err := admin.Get(ctx, client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	// By way of the status nothing of the spec is written, whoever writes it.
	stored.Spec.APIKeySecretRef.Name = "shop.wechatpay"
	if err := admin.Status().Update(ctx, stored); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(ctx, client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	if stored.Spec.APIKeySecretRef.Name != "mine" {
		t.Errorf("the key comes from %s", stored.Spec.APIKeySecretRef.Name)
	}
}
