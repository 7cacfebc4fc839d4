package v1alpha1_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// crdOf reads a kind's definition from the API server, which is what users get.
func crdOf(t *testing.T, kind string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := env.Client.Get(t.Context(), client.ObjectKey{Name: strings.ToLower(kind) + "s." + v1alpha1.GroupVersion.Group}, u); err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, crd); err != nil {
		t.Fatal(err)
	}
	return crd
}

type schemaNode apiextensionsv1.JSONSchemaProps

func schemaOf(t *testing.T, kind string) schemaNode {
	t.Helper()
	return schemaNode(*crdOf(t, kind).Spec.Versions[0].Schema.OpenAPIV3Schema)
}

// walk visits every field, those of list items and of maps too; [] and {} stand for these in the path.
func (n schemaNode) walk(path string, visit func(path string, node schemaNode)) {
	if path != "" {
		visit(path, n)
	}
	for name, property := range n.Properties {
		schemaNode(property).walk(strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if n.Items != nil && n.Items.Schema != nil {
		schemaNode(*n.Items.Schema).walk(path+"[]", visit)
	}
	if n.AdditionalProperties != nil && n.AdditionalProperties.Schema != nil {
		schemaNode(*n.AdditionalProperties.Schema).walk(path+"{}", visit)
	}
}

// requiredIn are the fields of a spec that can't be left out: they and their parents are required.
func requiredIn(t *testing.T, kind string) map[string]bool {
	t.Helper()
	required := map[string]bool{}
	var collect func(prefix string, n schemaNode)
	collect = func(prefix string, n schemaNode) {
		for _, name := range n.Required {
			required[prefix+name] = true
			collect(prefix+name+".", schemaNode(n.Properties[name]))
		}
	}
	collect("", schemaNode(schemaOf(t, kind).Properties["spec"]))
	return required
}

// requiredInParent says whether a field of a spec is required where its parent is there.
func requiredInParent(t *testing.T, kind, path string) bool {
	t.Helper()
	node := schemaOf(t, kind).Properties["spec"]
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		node = node.Properties[name]
	}
	return slices.Contains(node.Required, names[len(names)-1])
}

// TestEveryFieldIsExplained: `kubectl explain` has words for every field, and they begin with its name.
func TestEveryFieldIsExplained(t *testing.T) {
	for kind := range kinds {
		schema := schemaOf(t, kind)
		if schema.Description == "" {
			t.Errorf("%s has no description", kind)
		}
		schema.walk("", func(path string, node schemaNode) {
			name := path[strings.LastIndex(path, ".")+1:]
			switch {
			// The API server explains metadata by itself.
			case path == "metadata":
			// Items and values are explained by the list and the map that hold them.
			case strings.HasSuffix(name, "[]"), strings.HasSuffix(name, "{}"):
			case node.Description == "":
				t.Errorf("%s %s has no description", kind, path)
			case path == "apiVersion", path == "kind", strings.HasPrefix(path, "spec.allowedNamespaces.selector."), strings.HasPrefix(path, "status.conditions[]"):
				// Words of Kubernetes itself.
			case !strings.HasPrefix(node.Description, name):
				t.Errorf("%s %s: the description does not begin with the field's name: %q", kind, path, node.Description)
			}
		})
	}
}

// TestEveryFieldIsBounded: nothing that a user writes is of any length, so that an object can't fill etcd and the rules
// stay within their cost.
func TestEveryFieldIsBounded(t *testing.T) {
	for kind := range kinds {
		schemaOf(t, kind).walk("", func(path string, node schemaNode) {
			if !strings.HasPrefix(path, "spec.") && !strings.HasPrefix(path, "status.") || strings.HasPrefix(path, "spec.allowedNamespaces.selector.") {
				return
			}
			switch node.Type {
			case "string":
				if node.MaxLength == nil && len(node.Enum) == 0 && node.Format != "date-time" {
					t.Errorf("%s %s: a string without maxLength", kind, path)
				}
			case "integer":
				if strings.HasPrefix(path, "spec.") && (node.Minimum == nil || node.Maximum == nil) {
					t.Errorf("%s %s: an integer without minimum or maximum", kind, path)
				}
			case "array":
				if node.MaxItems == nil {
					t.Errorf("%s %s: a list without maxItems", kind, path)
				}
			case "number":
				t.Errorf("%s %s: a number that may have a fraction", kind, path)
			case "object":
				if len(node.Properties) == 0 && node.AdditionalProperties == nil {
					t.Errorf("%s %s: an object that may hold anything", kind, path)
				}
			}
			if node.XPreserveUnknownFields != nil {
				t.Errorf("%s %s keeps unknown fields", kind, path)
			}
		})
	}
}

// TestEveryRuleSaysWhat: a rule without a message shows users its source.
func TestEveryRuleSaysWhat(t *testing.T) {
	for kind := range kinds {
		schema := schemaOf(t, kind)
		check := func(path string, node schemaNode) {
			for _, rule := range node.XValidations {
				if rule.Message == "" && rule.MessageExpression == "" {
					t.Errorf("%s %s: no message for %s", kind, path, rule.Rule)
				}
				// Go's formatter makes one character of two quotation marks in a comment, which no rule can be read with.
				if strings.ContainsAny(rule.Rule, "“”") {
					t.Errorf("%s %s: typographic quotation marks in %s", kind, path, rule.Rule)
				}
			}
		}
		check("", schema)
		schema.walk("", check)
	}
}

func TestNamesAndColumns(t *testing.T) {
	for kind, want := range map[string]struct {
		short      string
		columns    []string
		wide       []string
		selectable []string
	}{
		"Merchant": {"wxm", []string{"MCHID", "READY", "REASON", "AGE"}, []string{"PROTOCOL", "APPID", "SUBMCHID", "CERTIFICATE EXPIRES", "MESSAGE"}, nil},
		"Order": {"wxo", []string{"STATE", "TYPE", "TOTAL", "CURRENCY", "AGE"}, []string{"TRANSACTION", "PAID", "MESSAGE"},
			[]string{".spec.merchantRef.name", ".spec.tradeType", ".status.outTradeNo", ".status.transaction.id"}},
		"Refund": {"wxr", []string{"STATE", "APPROVED", "ORDER", "AMOUNT", "AGE"}, []string{"REFUNDID", "ACCEPTED", "MESSAGE"},
			[]string{".spec.approval", ".spec.orderRef.name", ".status.outRefundNo"}},
		"MiniProgram": {"wxp", []string{"APPID", "READY", "REASON", "AGE"}, []string{"VIRTUAL GOODS", "MESSAGE"}, nil},
		"Statement":   {"wxt", []string{"MERCHANT", "DATE", "DOWNLOADED", "BALANCED", "DIFFERING", "AGE"}, []string{"PAYMENTS", "REFUNDS", "MESSAGE"}, []string{".spec.date", ".spec.merchantRef.name"}},
		"Shipment":    {"wxs", []string{"ORDER", "LOGISTICS", "UPLOADED", "REASON", "AGE"}, []string{"TRACKING", "MESSAGE"}, []string{".spec.orderRef.name"}},
		"EventSink":   {"wxe", []string{"URL", "DELIVERING", "REASON", "PENDING", "AGE"}, []string{"GIVEN UP", "MESSAGE"}, nil},
	} {
		crd := crdOf(t, kind)
		if got := crd.Spec.Names.ShortNames; !slices.Equal(got, []string{want.short}) {
			t.Errorf("%s: short names %q", kind, got)
		}
		if got := crd.Spec.Names.Categories; !slices.Equal(got, []string{"wechatpay"}) {
			t.Errorf("%s: categories %q", kind, got)
		}
		if crd.Spec.Scope != apiextensionsv1.NamespaceScoped {
			t.Errorf("%s: scope %s", kind, crd.Spec.Scope)
		}
		version := crd.Spec.Versions[0]
		if version.Subresources == nil || version.Subresources.Status == nil {
			t.Errorf("%s: status is no subresource, so whoever writes the spec could write that it was paid", kind)
		}
		var columns, wide, selectable []string
		for _, column := range version.AdditionalPrinterColumns {
			if column.Priority == 0 {
				columns = append(columns, column.Name)
			} else {
				wide = append(wide, column.Name)
			}
		}
		for _, field := range version.SelectableFields {
			selectable = append(selectable, field.JSONPath)
		}
		slices.Sort(selectable)
		if !slices.Equal(columns, want.columns) || !slices.Equal(wide, want.wide) || !slices.Equal(selectable, want.selectable) {
			t.Errorf("%s: columns %q, wide %q, selectable %q", kind, columns, wide, selectable)
		}
	}
	if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, []string{"EventSink", "Merchant", "MiniProgram", "Order", "Refund", "Shipment", "Statement"}) {
		t.Errorf("kinds %q", got)
	}
}
