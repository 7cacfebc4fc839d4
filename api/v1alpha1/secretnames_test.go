package v1alpha1_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// TestSecretNamesHasEachReference: a new reference that is missing there would be forgotten wherever
// all Secrets of a Merchant are looked at.
func TestSecretNamesHasEachReference(t *testing.T) {
	spec := &v1alpha1.MerchantSpec{}
	if names := spec.SecretNames(); len(names) > 0 {
		t.Errorf("a Merchant that names none names %q", names)
	}
	named := nameSecrets(t, reflect.ValueOf(spec).Elem(), "spec")
	if len(named) < 3 {
		t.Fatalf("found only the references %q", named)
	}
	slices.Sort(named)
	if got := spec.SecretNames(); !slices.Equal(got, named) {
		t.Errorf("got %q, and the references name %q", got, named)
	}
	spec.APIV3KeySecretRef.Name = spec.APIKeySecretRef.Name
	if got := spec.SecretNames(); len(got) != len(named)-1 {
		t.Errorf("with one Secret named twice: %q", got)
	}
}

// nameSecrets gives each reference to a Secret a name of its own, and returns the names.
func nameSecrets(t *testing.T, value reflect.Value, path string) (names []string) {
	t.Helper()
	for i := range value.NumField() {
		at := path + "." + value.Type().Field(i).Name
		field := value.Field(i)
		if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct {
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		switch {
		case field.Kind() != reflect.Struct:
		case strings.HasSuffix(at, "SecretRef"):
			field.FieldByName("Name").SetString(at)
			names = append(names, at)
		default:
			names = append(names, nameSecrets(t, field, at)...)
		}
	}
	return names
}
