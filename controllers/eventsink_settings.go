package controllers

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// settings returns how the events of a sink are sent. If nothing can be sent, the error is a
// Problem.
func (r *EventSinkReconciler) settings(ctx context.Context, sink *v1alpha1.EventSink) (*events.Settings, error) {
	address, problem := r.address(sink)
	if problem != nil {
		return nil, problem
	}
	roots, problem := authorities(sink)
	if problem != nil {
		return nil, problem
	}
	keys, err := r.signingKeys(ctx, sink)
	if err != nil {
		return nil, err
	}
	settings, err := events.NewSettings(address, roots, sink.Spec.CABundle, keys)
	if err != nil {
		return nil, invalidSigningKey(sink)
	}
	return settings, nil
}

// address returns the address that events are sent to. It must be at a host on the platform's list:
// a user who can write an EventSink must not be able to make the operator call any host that it can
// reach.
func (r *EventSinkReconciler) address(sink *v1alpha1.EventSink) (*url.URL, *account.Problem) {
	address, err := url.Parse(sink.Spec.URL)
	if err != nil || address.Scheme != "https" || address.Hostname() == "" || address.User != nil || address.Fragment != "" || !hosts.PortIsValid(address) {
		return nil, &account.Problem{
			Reason:  v1alpha1.ReasonInvalidEndpoint,
			Message: "spec.url must be an https URL without user and fragment, such as https://orders.shop.example/wechatpay",
		}
	}
	if !r.Hosts.Allows(address) {
		return nil, &account.Problem{
			Reason: v1alpha1.ReasonHostNotAllowed,
			Message: "spec.url names the host " + text.Clean(address.Host) + ", which this operator may not call, so nothing is sent. " +
				"The platform team sets the allowed hosts with the manager's flag --event-hosts (chart: eventHosts)",
		}
	}
	return address, nil
}

// authorities returns whom the receiver's certificate is verified with; nil means the system's.
func authorities(sink *v1alpha1.EventSink) (*x509.CertPool, *account.Problem) {
	if len(sink.Spec.CABundle) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(sink.Spec.CABundle) {
		return nil, &account.Problem{
			Reason:  v1alpha1.ReasonInvalidEndpoint,
			Message: "spec.caBundle holds no certificate in PEM: write the certificate of the authority there, base64 encoded",
		}
	}
	return roots, nil
}

// previousKeySuffix marks the entry of a Secret that holds the previous key during a rotation.
const previousKeySuffix = ".previous"

// signingKeys reads the keys from their Secret.
func (r *EventSinkReconciler) signingKeys(ctx context.Context, sink *v1alpha1.EventSink) (events.Keys, error) {
	reference := sink.Spec.SecretRef
	secret := &corev1.Secret{}
	err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: sink.Namespace, Name: reference.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return events.Keys{}, &account.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: fmt.Sprintf(
			"Secret %s/%s with the signing key does not exist: create it, or name another in spec.secretRef", sink.Namespace, reference.Name)}
	case apierrors.IsForbidden(err):
		return events.Keys{}, &account.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: fmt.Sprintf(
			"The operator may not read Secret %s/%s with the signing key: give its ServiceAccount the verb get on it", sink.Namespace, reference.Name)}
	case err != nil:
		return events.Keys{}, err
	}
	return events.Keys{Current: string(secret.Data[reference.Key]), Previous: string(secret.Data[reference.Key+previousKeySuffix])}, nil
}

// invalidSigningKey does not say what is wrong with the entry: a user who can read the EventSink
// may not be allowed to read the Secret.
func invalidSigningKey(sink *v1alpha1.EventSink) *account.Problem {
	return &account.Problem{Reason: v1alpha1.ReasonInvalidSigningKey, Message: fmt.Sprintf(
		"The entry %q of Secret %s/%s can't be used as a signing key: it must be there and hold 24 to 64 random bytes in base64, with or without whsec_ before them. "+
			`Make one with: echo "whsec_$(openssl rand -base64 32)"`, strings.TrimSpace(sink.Spec.SecretRef.Key), sink.Namespace, sink.Spec.SecretRef.Name)}
}
