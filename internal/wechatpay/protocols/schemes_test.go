package protocols_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// schemaOf returns the schema of a field of a kind, as the API server has it.
func schemaOf(t *testing.T, kind string, path ...string) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "crd", "bases", "wechatpay-operator.io_"+kind+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	schema := *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, name := range path {
		schema = schema.Properties[name]
	}
	return schema
}

// enum returns the values that a schema allows, as they are in JSON.
func enum(schema apiextensionsv1.JSONSchemaProps) (values []string) {
	for _, value := range schema.Enum {
		values = append(values, string(value.Raw))
	}
	return values
}

// TestTheStatusTakesEveryScheme: the API server refuses a status with another one, so that the Order would
// show nothing at all.
func TestTheStatusTakesEveryScheme(t *testing.T) {
	of, stored := schemaOf(t, "merchants", "spec", "signType"), schemaOf(t, "orders", "status", "prepay", "signType")
	a := open(t, false, simulator.VerifyByCertificate)
	a.Expect(enum(of)).NotTo(BeEmpty())
	for _, name := range protocols.Names() {
		protocol := simulator.Protocol(name)
		a.Expect(a.connections[protocol]).NotTo(BeNil(), "nothing is tried in protocol %s", name)
		for i, signType := range enum(of) {
			order := a.order(protocol, fmt.Sprintf("%s-order-%d", name, i))
			order.Scheme = wechatpay.Scheme(signType[1 : len(signType)-1])
			prepay, err := a.connections[protocol].CreateOrder(t.Context(), order)
			a.Expect(err).NotTo(HaveOccurred())
			if prepay.Scheme != "" {
				a.Expect(enum(stored)).To(ContainElement(`"`+string(prepay.Scheme)+`"`), "of protocol %s", name)
			}
		}
	}
}
