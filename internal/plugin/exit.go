package plugin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Exit codes, which scripts can rely on. docs/kubectl-plugin.md has the table.
const (
	ExitDone         = 0
	ExitFailure      = 1 // an error, which is printed to stderr
	ExitUsage        = 2 // the command line is wrong
	ExitNotPermitted = 3 // RBAC or a policy refused it
	ExitDeclined     = 4 // the question was not answered with yes; no object was changed
	ExitTimeout      = 5 // the time limit ended first
	ExitUnexpected   = 6 // it is already decided, the Order ended unpaid, the Statement differs, doctor found a fault
)

// problem is an error with a translated message and an exit code.
type problem struct {
	code int
	text string
}

func (p *problem) Error() string { return p.text }

// failf makes a problem in the printer's language.
func (p *printer) failf(code int, format string, args ...any) error {
	return &problem{code, p.text(format, args...)}
}

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	var p *problem
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &p):
		return p.code
	default:
		return ExitFailure
	}
}

var (
	// missingRight is part of the API server's message if RBAC does not grant a right.
	missingRight = regexp.MustCompile(`cannot ([a-z]+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)
	policyWord   = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)'.*? denied request: (?s:(.*))$`)
)

// explain translates an error of the API server: what is wrong, and what to do.
func (p *printer) explain(err error) error {
	var said *problem
	var network net.Error
	switch {
	case err == nil || errors.As(err, &said):
		return err
	case apierrors.IsUnauthorized(err):
		return p.failf(ExitNotPermitted,
			"The API server does not accept these credentials. Log in again, or choose another context with --context.")
	case policyWord.MatchString(err.Error()):
		found := policyWord.FindStringSubmatch(err.Error())
		return p.failf(ExitNotPermitted, "The policy %[1]s refused it: %[2]s", found[1], found[2])
	case apierrors.IsForbidden(err) && missingRight.MatchString(err.Error()):
		return p.missing(missingRight.FindStringSubmatch(err.Error()))
	case apierrors.IsForbidden(err):
		return p.failf(ExitNotPermitted, "The API server refused it: %s", err)
	case meta.IsNoMatchError(err):
		return p.failf(ExitFailure, "The cluster does not have the kinds of this plugin: %s. Install the operator's CRDs of "+
			"the plugin's version; kubectl wechatpay doctor tells which are missing.", err)
	case errors.Is(err, context.DeadlineExceeded):
		return p.failf(ExitTimeout, "It took longer than --timeout or --request-timeout allows: %s", err)
	case errors.Is(err, context.Canceled):
		return p.failf(ExitFailure, "Interrupted.")
	case errors.As(err, &network):
		return p.failf(ExitFailure, "The API server cannot be reached: %s", err)
	default:
		return p.failf(ExitFailure, "%s", err)
	}
}

// missing returns the missing right, and the role that grants it.
func (p *printer) missing(found []string) error {
	verb, resource, group, namespace := found[1], found[2], found[3], found[4]
	if group != "" {
		resource += "." + group
	}
	text := p.text("You lack the right to %[1]s %[2]s in all namespaces.", verb, resource)
	if namespace != "" {
		text = p.text("You lack the right to %[1]s %[2]s in namespace %[3]s.", verb, resource, namespace)
	}
	if role := roleFor(verb, found[2], group); role != "" {
		text += " " + p.text("The ClusterRole %s has it: ask who administers the namespace to bind it to you there.", role)
	}
	return &problem{ExitNotPermitted, text}
}

// roleFor returns the smallest of the shipped roles that grants a right.
func roleFor(verb, resource, group string) string {
	read := verb == "get" || verb == "list" || verb == "watch"
	switch {
	case group != v1alpha1.GroupVersion.Group:
		return ""
	case read:
		return "wechatpay-operator-viewer"
	case resource == "refunds" && verb != "create":
		return "wechatpay-operator-approver"
	case resource == "orders" || resource == "refunds" || resource == "shipments":
		return "wechatpay-operator-shop"
	default:
		return "wechatpay-operator-merchant-admin"
	}
}

// notFound explains which object does not exist in which namespace. It passes other errors to explain.
func (p *printer) notFound(err error, kind, namespace, name string) error {
	if apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "could not find the requested resource") {
		return p.failf(ExitFailure, "There is no %[1]s %[2]s in namespace %[3]s. Another namespace is chosen with -n.",
			p.word(kind), name, namespace)
	}
	return p.explain(err)
}

// usagef makes the error of an invalid command line.
func (p *printer) usagef(format string, args ...any) error {
	return &problem{ExitUsage, fmt.Sprintf("%s\n%s", p.text(format, args...), p.text("See kubectl wechatpay --help."))}
}
