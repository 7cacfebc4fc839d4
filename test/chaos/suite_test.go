package chaos_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/postgres"
)

// suite is shared by the runs.
type suite struct {
	api          client.Client
	manager      ctrl.Manager
	indexes      indexes
	certificates string
	pair         tls.Certificate
	certificate  simulator.ClientCertificate
	// strangers is a certificate for the merchant number that WeChat Pay does not know.
	strangers simulator.ClientCertificate
	// platform has WeChat Pay's public key in every run.
	platform simulator.Platform
	// databases is nil if the machine has no PostgreSQL.
	databases *databases
	seed      uint64
	preparing sync.Mutex
}

func openSuite(t *testing.T, seed uint64) *suite {
	env, err := controlplane.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctrl.SetLogger(logr.Discard())
	s := &suite{api: env.Client, indexes: indexes{}, certificates: t.TempDir(), seed: seed}
	// Never started: SetupWithManager needs it to prepare the reconcilers.
	operator, err := env.Operator(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.manager, err = ctrl.NewManager(operator, ctrl.Options{
		Scheme: controlplane.Scheme(), Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err == nil {
		err = index.Setup(context.Background(), s.indexes)
	}
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := simulator.New(simulator.Options{CertificateDir: s.certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = issuer.Close() }()
	if s.certificate, err = issuer.IssueClientCertificate(mchID); err != nil {
		t.Fatal(err)
	}
	if s.strangers, err = issuer.IssueClientCertificate(mchID); err != nil {
		t.Fatal(err)
	}
	s.platform = issuer.Platform()
	if s.pair, err = s.certificate.TLS(); err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "pg") //nolint:usetesting // short: the path of a socket may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if s.databases, err = openDatabases(folder); err != nil {
		t.Fatal(err)
	}
	if s.databases == nil {
		t.Logf("PostgreSQL is not installed: flows with a ledger are left out; %s=1 makes this a failure", postgres.Required)
	} else {
		t.Cleanup(s.databases.server.Kill)
	}
	return s
}

// prepare gives reconcilers an empty memory.
func (s *suite) prepare(reconcilers ...interface{ SetupWithManager(ctrl.Manager) error }) {
	s.preparing.Lock()
	defer s.preparing.Unlock()
	for _, r := range reconcilers {
		if err := r.SetupWithManager(s.manager); err != nil {
			panic(err)
		}
	}
}

// createSecrets creates the keys of both protocols and the API certificate.
func (s *suite) createSecrets(namespace, key, v3Key string, certificate simulator.ClientCertificate) error {
	for _, secret := range []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: keySecret}, Data: map[string][]byte{"apiKey": []byte(key), "apiV3Key": []byte(v3Key)}},
		{ObjectMeta: metav1.ObjectMeta{Name: "wechatpay-cert"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: certificate.CertPEM, corev1.TLSPrivateKeyKey: certificate.KeyPEM}},
	} {
		secret.Namespace = namespace
		if err := s.api.Create(context.Background(), secret); err != nil {
			return err
		}
	}
	return nil
}

func certificatePEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
