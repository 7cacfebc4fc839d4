package v1alpha1_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// One object that Go can't decode keeps the operator from listing any of its kind. So whatever the API server takes, Go
// takes.

// A choosy field is one that Go decodes into more than JSON has, or into less.
type choosy struct {
	path   string
	schema schemaNode
	goType reflect.Type
}

var goTypes = map[string]reflect.Type{
	"Merchant": reflect.TypeFor[v1alpha1.Merchant](), "Order": reflect.TypeFor[v1alpha1.Order](), "Refund": reflect.TypeFor[v1alpha1.Refund](),
	"EventSink": reflect.TypeFor[v1alpha1.EventSink](), "MiniProgram": reflect.TypeFor[v1alpha1.MiniProgram](), "Shipment": reflect.TypeFor[v1alpha1.Shipment](), "Statement": reflect.TypeFor[v1alpha1.Statement](),
}

// choosyFields walks a kind's schema and its Go type side by side. The API server decodes metadata itself.
func choosyFields(t *testing.T, kind string) []choosy {
	t.Helper()
	var found []choosy
	var walk func(path string, node schemaNode, goType reflect.Type)
	walk = func(path string, node schemaNode, goType reflect.Type) {
		for goType.Kind() == reflect.Pointer {
			goType = goType.Elem()
		}
		_, decodesItself := reflect.New(goType).Interface().(json.Unmarshaler)
		switch isBytes := goType.Kind() == reflect.Slice && goType.Elem().Kind() == reflect.Uint8; {
		case decodesItself, isBytes:
			found = append(found, choosy{path, node, goType})
			return
		}
		switch goType.Kind() {
		case reflect.Struct:
			for name, property := range node.Properties {
				if path == "" && name == "metadata" {
					continue
				}
				walk(strings.TrimPrefix(path+"."+name, "."), schemaNode(property), fieldType(t, goType, name))
			}
		case reflect.Slice:
			walk(path+"[]", schemaNode(*node.Items.Schema), goType.Elem())
		case reflect.Map:
			walk(path+"{}", schemaNode(*node.AdditionalProperties.Schema), goType.Elem())
		case reflect.String:
			if node.Type != "string" {
				t.Errorf("%s %s: %s for a string", kind, path, node.Type)
			}
		case reflect.Bool:
			if node.Type != "boolean" {
				t.Errorf("%s %s: %s for a bool", kind, path, node.Type)
			}
		default:
			found = append(found, choosy{path, node, goType})
		}
	}
	walk("", schemaOf(t, kind), goTypes[kind])
	slices.SortFunc(found, func(a, b choosy) int { return strings.Compare(a.path, b.path) })
	return found
}

// fieldType is the type of the field with a JSON name, of an embedded struct too.
func fieldType(t *testing.T, of reflect.Type, name string) reflect.Type {
	t.Helper()
	for _, f := range reflect.VisibleFields(of) {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type
		}
	}
	t.Fatalf("%s has no field %s", of, name)
	return nil
}

// TestGoTakesWhatTheSchemasTake demands a pattern where Go is choosy about text, and bounds within every number's type.
// A number beyond 2^53 is stored as a fraction may be.
func TestGoTakesWhatTheSchemasTake(t *testing.T) {
	const most = 1 << 53
	kindsOf := map[string]int{}
	for kind := range kinds {
		for _, f := range choosyFields(t, kind) {
			kindsOf[f.goType.String()]++
			switch f.goType.Kind() {
			case reflect.Int32, reflect.Int64:
				lowest, highest := -float64(most), float64(most)
				if f.goType.Kind() == reflect.Int32 {
					lowest, highest = -1<<31, 1<<31-1
				}
				if f.schema.Minimum == nil || *f.schema.Minimum < lowest || f.schema.Maximum == nil || *f.schema.Maximum > highest {
					t.Errorf("%s %s: a %s without bounds that fit", kind, f.path, f.goType)
				}
			default:
				if f.schema.Type != "string" || f.schema.Pattern == "" {
					t.Errorf("%s %s: a %s without a pattern", kind, f.path, f.goType)
				}
			}
		}
	}
	if kindsOf["v1.Time"] < 10 || kindsOf["[]uint8"] == 0 || kindsOf["int64"] == 0 || kindsOf["int32"] == 0 {
		t.Errorf("the walk found %v", kindsOf)
	}
}

// TestGoDecodesWhatAPatternAdmits tries texts that are nearly right, on the API server's own validation.
func TestGoDecodesWhatAPatternAdmits(t *testing.T) {
	for kind := range kinds {
		for _, f := range choosyFields(t, kind) {
			if f.schema.Type != "string" {
				continue
			}
			accepts := acceptsOf(t, f.schema)
			good := goodText(f)
			if !accepts(good) {
				t.Fatalf("%s %s does not take %s", kind, f.path, good)
			}
			admitted := 0
			rapid.Check(t, func(t *rapid.T) {
				text := nearly(good).Draw(t, "text")
				if !accepts(text) {
					return
				}
				admitted++
				raw, _ := json.Marshal(text)
				value := reflect.New(f.goType)
				if err := json.Unmarshal(raw, value.Interface()); err != nil {
					t.Fatalf("%s %s: the schema takes %q, and Go does not: %v", kind, f.path, text, err)
				}
				written, err := json.Marshal(value.Interface())
				var again string
				if err == nil {
					err = json.Unmarshal(written, &again)
				}
				if strings.HasPrefix(f.path, "status.") && (err != nil || !accepts(again)) {
					t.Fatalf("%s %s: %q is written back as %s (%v), which is refused", kind, f.path, text, written, err)
				}
			})
			if admitted == 0 {
				t.Errorf("%s %s: nothing that was tried is admitted", kind, f.path)
			}
		}
	}
}

func acceptsOf(t *testing.T, node schemaNode) func(text string) bool {
	t.Helper()
	v1, internal := apiextensionsv1.JSONSchemaProps(node), apiextensions.JSONSchemaProps{}
	v1.XValidations = nil
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &internal, nil); err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) bool { return len(validation.ValidateCustomResource(nil, text, validator)) == 0 }
}

func goodText(f choosy) string {
	if f.goType == reflect.TypeFor[[]byte]() {
		return base64.StdEncoding.EncodeToString([]byte("-----BEGIN"))
	}
	return "2026-11-21T20:00:00Z"
}

// nearly is a text with some of its bytes changed, taken away or doubled.
func nearly(good string) *rapid.Generator[string] {
	pieces := rapid.SampledFrom(strings.Split("0 1 2 3 5 6 9 + - : . , T t Z z x = / 00 12 13 24 29 30 31 59 60 99 +08:00 -14:00 +25:00 .5 ,5 \n", " "))
	return rapid.Custom(func(t *rapid.T) string {
		text := good
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			until := min(len(text), at+rapid.IntRange(0, 2).Draw(t, "taken"))
			text = text[:at] + pieces.Draw(t, "piece") + text[until:]
		}
		return text
	})
}

// whatGoDoesNotTake, or does not write back, by the format of the field.
var whatGoDoesNotTake = map[string][]any{
	"date-time": {
		"2026-11-21t20:00:00z", "2026-11-21T20:00:00x5Z", "2026-11-21T20:00:00+25:00", "2026-11-21T20:00:00-00:75", "2026-11-21T24:00:00Z",
		"2026-11-21T20:60:00Z", "2026-11-21T20:00:60Z", "2026-02-30T20:00:00Z", "2026-13-01T20:00:00Z", "2026-11-21 20:00:00Z", "2026-11-21T20:00:00",
		"2026-11-21T2:00:00Z", "0001-01-01T00:00:00Z", "T", "",
	},
	"byte":  {"=", "QUJD=", "QUJ", "QUJD\x00", "QU-_", "QUJDRA=A"},
	"int64": {1e19, 1e30, -1e30, float64(1 << 63)},
	"int32": {float64(1 << 31), 1e10, 1e30, -1e30},
}

// TestTheAPIServerTakesNothingThatGoDoesNot writes each of them to each field that is choosy, spec and status, as
// somebody who may write everything, and then reads all objects as the operator does.
func TestTheAPIServerTakesNothingThatGoDoesNot(t *testing.T) {
	ns := namespace(t)
	for kind, make := range map[string]func(...edit) *unstructured.Unstructured{"Merchant": merchant, "Order": order, "Refund": refund, "EventSink": eventSink, "MiniProgram": miniProgram, "Shipment": shipment, "Statement": statement} {
		t.Run(kind, func(t *testing.T) {
			status, ok := sample(schemaNode(schemaOf(t, kind).Properties["status"])).(map[string]any)
			if !ok {
				t.Fatal("no status")
			}
			stored := mustCreate(t, ns, make(named("with-a-status")))
			writeStatus(t, stored, set("status", status))
			for _, f := range choosyFields(t, kind) {
				for i, bad := range whatGoDoesNotTake[f.schema.Format] {
					if strings.HasPrefix(f.path, "spec.") {
						created := make(named(fmt.Sprintf("bad-%d-%s", i, strings.ToLower(f.path[strings.LastIndex(f.path, ".")+1:]))))
						switch {
						case f.path == "spec.endpoint.caBundle":
							set("spec.endpoint", map[string]any{"url": "https://pay.example.com"})(created)
						case strings.HasPrefix(f.path, "spec.goods."):
							set("spec.goods.items", items("soap"))(created)
						}
						setDeep(created.Object, strings.Split(f.path, "."), bad)
						if err := create(t.Context(), ns, created); !isRefusal(err) {
							t.Errorf("%s takes %v: %v", f.path, bad, err)
						}
						continue
					}
					changed := stored.DeepCopy()
					setDeep(changed.Object, strings.Split(f.path, "."), bad)
					if err := env.Client.Status().Update(t.Context(), changed); !isRefusal(err) {
						t.Errorf("%s takes %v: %v", f.path, bad, err)
					}
				}
			}
			list, err := env.Client.Scheme().New(v1alpha1.GroupVersion.WithKind(kind + "List"))
			if err != nil {
				t.Fatal(err)
			}
			if err := env.Client.List(t.Context(), list.(client.ObjectList), client.InNamespace(ns)); err != nil {
				t.Errorf("nothing can be listed any more: %v", err)
			}
		})
	}
}

func isRefusal(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) }

// setDeep puts a value at a path; [] is the first of a list.
func setDeep(object map[string]any, path []string, value any) {
	name, inList := strings.CutSuffix(path[0], "[]")
	switch {
	case len(path) == 1:
		object[name] = value
	case inList:
		setDeep(object[name].([]any)[0].(map[string]any), path[1:], value)
	default:
		if object[name] == nil {
			object[name] = map[string]any{}
		}
		setDeep(object[name].(map[string]any), path[1:], value)
	}
}

// sample is a value that a schema takes, with every field.
func sample(node schemaNode) any {
	switch {
	case len(node.Enum) > 0:
		var first any
		_ = json.Unmarshal(node.Enum[0].Raw, &first)
		return first
	case node.Type == "object" && len(node.Properties) > 0:
		object := map[string]any{}
		for name, property := range node.Properties {
			object[name] = sample(schemaNode(property))
		}
		return object
	case node.Type == "array":
		return []any{sample(schemaNode(*node.Items.Schema))}
	case node.Type == "integer":
		return int64(1)
	case node.Format == "date-time":
		return "2026-11-21T20:00:00Z"
	case node.Pattern == `^[0-9A-Fa-f]+$`:
		return "0123456789abcdef"
	default:
		return "Sample"
	}
}
