package documents

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestCallbacksReadTheKeyOfEachProtocol: the sample Role for the process that takes callbacks says which references
// name the Secrets that it needs, and fits a sample Merchant of each protocol. It can read no certificate.
func TestCallbacksReadTheKeyOfEachProtocol(t *testing.T) {
	samples := filepath.Join(controlplane.Root(), "config", "samples")
	text, err := os.ReadFile(filepath.Join(samples, "callbacks", "api_key_role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	document, _, _ := strings.Cut(string(text), "\n---\n")
	var role rbacv1.Role
	if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil || len(role.Rules) != 1 {
		t.Fatalf("%v, %d rules", err, len(role.Rules))
	}
	files, err := filepath.Glob(filepath.Join(samples, "merchant*.yaml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, protocol := range protocols.Names() {
		if field := protocols.CredentialsOf(protocol, &v1alpha1.Merchant{}).Field; !strings.Contains(string(text), field) {
			t.Errorf("it does not say that it needs the Secret in %s", field)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			m := sampleMerchant(t, file)
			return protocols.OfMerchant(m) == protocol && slices.Contains(role.Rules[0].ResourceNames, protocols.CredentialsOf(protocol, m).Secret)
		}) {
			t.Errorf("it fits no sample Merchant of protocol %s", protocol)
		}
	}
	for _, file := range files {
		if ref := sampleMerchant(t, file).Spec.CertificateSecretRef; ref != nil && slices.Contains(role.Rules[0].ResourceNames, ref.Name) {
			t.Errorf("it can read the certificate that %s names", filepath.Base(file))
		}
	}
}

func sampleMerchant(t *testing.T, file string) *v1alpha1.Merchant {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := &v1alpha1.Merchant{}
	if err := yaml.UnmarshalStrict(text, m); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return m
}
