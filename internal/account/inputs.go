package account

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// inputs are what an Account is made of: its Merchant's spec and Secrets, checked and parsed.
type inputs struct {
	settings          wechatpay.Settings
	certificate       certificateInput
	protocols         map[v1alpha1.Protocol]*protocolInputs
	version, endpoint string
}

// protocolInputs are what a Connection is made of. If it can't be opened, only problem is set.
type protocolInputs struct {
	protocol        wechatpay.Protocol
	secrets         wechatpay.Secrets
	payment, refund string
	certificateUse  protocols.CertificateUse
	problem         *Problem
	// notifyProblem is what is wrong with the callback addresses. It is set only if problem is nil.
	notifyProblem *Problem
}

// readInputs reads everything that an Account is made of. It returns a *Problem if no protocol can
// be used; a Problem of a single protocol is in the inputs of that protocol.
func (r *Registry) readInputs(ctx context.Context, merchant *v1alpha1.Merchant) (*inputs, error) {
	current := protocols.OfMerchant(merchant)
	if _, known := protocols.Of(current); !known {
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("This operator does not support the protocol %s of spec.protocol: update the operator, or choose another protocol", current)}
	}
	primary, backup, problem := endpoints(merchant, r.options.EndpointHosts)
	if problem != nil {
		return nil, problem
	}
	bundle := bundleOf(merchant)
	roots, problem := rootCAs(bundle)
	if problem != nil {
		return nil, problem
	}
	certificate, err := r.readCertificateInput(ctx, merchant)
	if err != nil {
		return nil, err
	}
	in := &inputs{
		settings: wechatpay.Settings{
			MchID: merchant.Spec.MchID, Scheme: wechatpay.Scheme(merchant.Spec.SignType), Partner: partnerOf(merchant),
			Endpoint: primary, BackupEndpoint: backup, RootCAs: roots,
			UserAgent: r.options.UserAgent, Timeouts: r.options.Timeouts, Trust: r.proofs.Under(bundle, isWeChats),
			Now: r.options.Clock.Now,
		},
		certificate: certificate,
		protocols:   map[v1alpha1.Protocol]*protocolInputs{},
		endpoint:    EndpointID(merchant),
	}
	versioned := []string{
		certificate.raw, certificate.problem.message(), string(bundle), primary.String(), backupOf(backup),
		string(merchant.Spec.SignType), string(current), partnerVersion(in.settings.Partner),
	}
	for _, name := range protocols.Names() {
		credentials := protocols.CredentialsOf(name, merchant)
		if credentials.Secret == "" && name != current {
			continue
		}
		protocolIn, err := r.readProtocolInputs(ctx, merchant, name, credentials, in)
		if problem, ok := AsProblem(err); ok {
			protocolIn = &protocolInputs{problem: problem}
		} else if err != nil {
			return nil, err
		}
		in.protocols[name] = protocolIn
		versioned = append(versioned, string(name), protocolIn.secrets.Key, protocolIn.secrets.PreviousKey, protocolIn.payment,
			fmt.Sprintf("%q", credentials.PublicKeys), protocolIn.problem.message(), protocolIn.notifyProblem.message())
	}
	in.version = Checksum(versioned...)
	return in, nil
}

// readProtocolInputs reads what one protocol needs. Its error is a *Problem, or the API server's.
func (r *Registry) readProtocolInputs(ctx context.Context, merchant *v1alpha1.Merchant, name v1alpha1.Protocol, credentials protocols.Credentials, in *inputs) (*protocolInputs, error) {
	protocol, _ := protocols.Of(name)
	payment, refund, notifyProblem := notifyURLs(merchant, name, r.options.NotifyBaseURL, in.settings.Endpoint)
	if r.options.CallbacksOnly {
		notifyProblem = nil
	}
	keySecret, err := ReadSecret(ctx, r.secrets, merchant.Namespace, credentials.Secret, "the "+protocol.KeyForm().Name, credentials.Field)
	if err != nil {
		return nil, err
	}
	keys, problem := readAPIKeys(keySecret, credentials, protocol.KeyForm())
	if problem != nil {
		return nil, problem
	}
	publicKeys, problem := readPublicKeys(credentials.PublicKeys)
	if problem != nil {
		return nil, problem
	}
	if credentials.Certificate == protocols.CertificateForAllCalls && !signsWithRSA(in.certificate.pair) {
		return nil, &Problem{v1alpha1.ReasonInvalidCertificate, fmt.Sprintf(
			"The private key in Secret %s/%s is not an RSA key, with which protocol %s signs: put the merchant's apiclient_cert.pem and apiclient_key.pem there",
			merchant.Namespace, merchant.Spec.CertificateSecretRef.Name, name)}
	}
	return &protocolInputs{
		protocol: protocol,
		secrets:  wechatpay.Secrets{Key: keys.current, PreviousKey: keys.previous, Certificate: in.certificate.pair, PublicKeys: publicKeys},
		payment:  payment, refund: refund, notifyProblem: notifyProblem,
		certificateUse: credentials.Certificate,
	}, nil
}

// signsWithRSA reports whether a certificate has an RSA key. It is true for nil: a missing
// certificate is a problem of its own.
func signsWithRSA(pair *tls.Certificate) bool {
	if pair == nil {
		return true
	}
	_, isRSA := pair.PrivateKey.(*rsa.PrivateKey)
	return isRSA
}

// certificateInput is the result of reading a certificate Secret.
type certificateInput struct {
	pair    *tls.Certificate
	leaf    *x509.Certificate
	problem *Problem
	raw     string
}

func backupOf(backup *url.URL) string {
	if backup == nil {
		return ""
	}
	return backup.String()
}

// readCertificateInput reads the API certificate. A problem with it stops only the calls that need
// it, so it is not an error.
func (r *Registry) readCertificateInput(ctx context.Context, merchant *v1alpha1.Merchant) (certificateInput, error) {
	reference := merchant.Spec.CertificateSecretRef
	if reference == nil || r.options.CallbacksOnly {
		return certificateInput{}, nil
	}
	stops := whatStops(protocols.CredentialsOf(merchant.Spec.Protocol, merchant).Certificate)
	secret, err := ReadSecret(ctx, r.secrets, merchant.Namespace, reference.Name, "the client certificate", "spec.certificateSecretRef")
	if err != nil {
		if problem, ok := AsProblem(err); ok {
			problem.Message += stops
			return certificateInput{problem: problem}, nil
		}
		return certificateInput{}, err
	}
	pair, leaf, problem := readCertificate(secret, merchant.Spec.MchID, r.options.Clock.Now())
	if problem != nil {
		problem.Message += stops
	}
	raw := string(secret.Data[corev1.TLSCertKey]) + string(secret.Data[corev1.TLSPrivateKeyKey])
	return certificateInput{pair: pair, leaf: leaf, problem: problem, raw: raw}, nil
}

// whatStops returns the end of a message: which calls an unusable certificate stops.
func whatStops(use protocols.CertificateUse) string {
	switch use {
	case protocols.CertificateForAllCalls:
		return ". Nothing is sent until then; callbacks are still taken"
	case protocols.CertificateForRefunds:
		return ". Refunds stop until then, Orders do not"
	default:
		return ""
	}
}

// ReadSecret reads the Secret that a field of an object in its namespace names. The error is a *Problem,
// or the API server's.
func ReadSecret(ctx context.Context, secrets client.Reader, namespace, name, what, field string) (*corev1.Secret, error) {
	// The CRD rejects other names, but an object created before that rule may have one, and the
	// client's error for it would look temporary.
	if refused := validation.NameIsDNSSubdomain(name, false); len(refused) > 0 {
		return nil, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("No Secret with %s can have the name %q: write the name of an existing one in %s", what, text.Clean(name), field)}
	}
	secret := &corev1.Secret{}
	err := secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("Secret %s/%s with %s does not exist: create it, or name another in %s", namespace, name, what, field)}
	}
	if apierrors.IsForbidden(err) {
		return nil, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("The operator may not read Secret %s/%s with %s: give its ServiceAccount the verb get on it", namespace, name, what)}
	}
	return secret, err
}
