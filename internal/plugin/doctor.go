package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// verdict is the result of a check.
type verdict string

const (
	inOrder verdict = "OK"
	careful verdict = "WARN"
	faulty  verdict = "FAIL"
	// notSeen: the caller may not read it, so the check has no result.
	notSeen verdict = "SKIP"
)

// finding is one line of doctor's output.
type finding struct {
	verdict verdict
	subject string
	found   string
	// do is the advice, for all verdicts but OK.
	do string
}

// examination is one run of doctor.
type examination struct {
	*plugin
	operatorNamespace string
	everywhere        bool
	merchants         []v1alpha1.Merchant
	// serverTime is the API server's clock minus this machine's.
	serverTime time.Duration
	findings   []finding
}

// checks are in the order in which the failure of one explains failures of later ones.
var checks = []func(*examination, context.Context){
	(*examination).connection, (*examination).kinds, (*examination).operator, (*examination).leader,
	(*examination).policies, (*examination).approvalPolicy,
	(*examination).allMerchants, (*examination).secrets, (*examination).sinksAndMiniPrograms,
	(*examination).statements, (*examination).waiting,
}

func (p *plugin) doctor() *cobra.Command {
	e := &examination{plugin: p}
	command := &cobra.Command{
		Use:   "doctor",
		Short: p.text("Check that everything is installed, guarded, reachable and in time"),
		Long: p.text("Looks at the kinds, the operator, its leader, the policies, and the Merchants of a namespace with their " +
			"Secrets, certificates, callbacks and Statements: " +
			"one line each, with what to do. It changes nothing; the policy on approvals is tried by a dry run. What your " +
			"rights do not let you see is skipped: " +
			"who administers the cluster sees more."),
		Args: p.exactly(0),
		RunE: func(command *cobra.Command, _ []string) error {
			if err := p.ready(); err != nil {
				return err
			}
			return e.examine(command.Context())
		},
	}
	command.Flags().StringVar(&e.operatorNamespace, "operator-namespace", "wechatpay-operator-system",
		p.text("Namespace in which the operator runs."))
	command.Flags().BoolVarP(&e.everywhere, "all-namespaces", "A", false, p.text("Look at the Merchants of all namespaces."))
	p.outputFlag(command)
	return command
}

func (e *examination) examine(ctx context.Context) error {
	for _, check := range checks {
		check(e, ctx)
		if ctx.Err() != nil {
			return e.explain(ctx.Err())
		}
	}
	if err := e.print(); err != nil {
		return err
	}
	faults := 0
	for _, f := range e.findings {
		if f.verdict == faulty {
			faults++
		}
	}
	if faults > 0 {
		return e.failf(ExitUnexpected, "Faults: %d.", faults)
	}
	return nil
}

func (e *examination) print() error {
	if e.machine() {
		var items []any
		for _, f := range e.findings {
			items = append(items, map[string]any{"verdict": string(f.verdict), "subject": f.subject, "found": f.found,
				"do": f.do})
		}
		return e.plugin.print(report("Doctor", map[string]any{"findings": items}))
	}
	for _, f := range e.findings {
		text := f.found
		if f.do != "" {
			text += " -> " + f.do
		}
		fmt.Fprintf(e.Streams.Out, "%s  %s: %s\n", e.word(string(f.verdict)), f.subject, text)
	}
	return nil
}

// report adds a finding. subject, found and do must be clean.
func (e *examination) report(v verdict, subject, found, do string) {
	if v == inOrder {
		do = ""
	}
	e.findings = append(e.findings, finding{v, subject, found, do})
}

// skip reports that something could not be checked. That is a fault unless the caller lacks the right.
func (e *examination) skip(subject string, err error) {
	explained := e.explain(err)
	if codeOf(explained) == ExitNotPermitted {
		e.report(notSeen, subject, e.text("not visible with your rights"), explained.Error())
		return
	}
	e.report(careful, subject, e.text("could not be looked at"), explained.Error())
}

// listed lists objects. If it can't, it reports the reason under a subject.
func (e *examination) listed(ctx context.Context, subject string, list client.ObjectList, options ...client.ListOption) bool {
	err := e.client.List(ctx, list, options...)
	if err != nil {
		e.skip(subject, err)
	}
	return err == nil
}

// judge reports a condition. If it is False, the verdict is worst. unknown is the advice while it is neither True nor
// False.
func (e *examination) judge(kind, subject string, c metav1.Condition, worst verdict, unknown string) {
	switch c.Status {
	case metav1.ConditionTrue:
		e.report(inOrder, subject, e.reason(c.Reason), "")
	case metav1.ConditionFalse:
		e.report(worst, subject, e.conditionText(kind, c), e.paragraphOn(c))
	default:
		e.report(careful, subject, e.conditionText(kind, c), unknown)
	}
}

func (e *examination) paragraphOn(c metav1.Condition) string {
	return e.text("docs/troubleshooting.md has a paragraph on %s", c.Reason)
}

// may asks the API server whether the caller has a right.
func (e *examination) may(ctx context.Context, verb, group, resource, namespace, name string) bool {
	asked := &authorizationv1.ResourceAttributes{Group: group, Resource: resource, Verb: verb, Namespace: namespace, Name: name}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: asked}}
	return e.client.Create(ctx, review) == nil && review.Status.Allowed
}

const (
	// oldest is the oldest minor version of Kubernetes on which the operator works.
	oldestMinor = 32
	// skewed is the tolerated difference between clocks. WeChat Pay's API v3 refuses requests that are older than five
	// minutes.
	skewed = time.Minute
)

// connection checks the API server's version, and compares its clock with this machine's.
func (e *examination) connection(ctx context.Context) {
	subject := e.text("API server")
	server, at, err := e.askVersion(ctx)
	if err != nil {
		e.report(faulty, subject, e.text("cannot be reached"), e.explain(err).Error())
		return
	}
	e.serverTime = at.Sub(e.Now()).Round(time.Second)
	if minor, _ := strconv.Atoi(strings.TrimRight(server.Minor, "+")); server.Major == "1" && minor < oldestMinor {
		e.report(faulty, subject, e.text("Kubernetes %s is too old", server.GitVersion), e.text("the operator needs 1.32 or later"))
	} else {
		e.report(inOrder, subject, e.text("Kubernetes %s", server.GitVersion), "")
	}
	if e.serverTime.Abs() > skewed {
		e.report(careful, e.text("Clock"), e.text("this machine is %s from the API server", e.serverTime.Abs()),
			e.text("synchronize the clocks by NTP: API v3 takes requests of the last five minutes only"))
	} else {
		e.report(inOrder, e.text("Clock"), e.text("this machine and the API server agree"), "")
	}
}

// askVersion reads /version, and the API server's time from the response.
func (e *examination) askVersion(ctx context.Context) (answer version.Info, at time.Time, err error) {
	httpClient, err := rest.HTTPClientFor(e.config)
	if err != nil {
		return answer, at, err
	}
	base, _, err := rest.DefaultServerUrlFor(e.config)
	if err != nil {
		return answer, at, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("version").String(), nil)
	if err != nil {
		return answer, at, err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return answer, at, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized {
		return answer, at, apierrors.NewUnauthorized("credentials were refused")
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&answer); err != nil {
		return answer, at, fmt.Errorf("/version was answered with %s and no version", response.Status)
	}
	at, err = http.ParseTime(response.Header.Get("Date"))
	return answer, at, err
}

// kinds checks that the CRDs exist, by discovery, which everybody may use, and that they have the fields that this
// plugin writes.
func (e *examination) kinds(ctx context.Context) {
	subject := e.text("Kinds (CRDs)")
	var missing []string
	for _, kind := range []string{"Merchant", "Order", "Refund", "Shipment", "MiniProgram", "EventSink", "Statement"} {
		_, err := e.client.RESTMapper().RESTMapping(v1alpha1.GroupVersion.WithKind(kind).GroupKind(),
			v1alpha1.GroupVersion.Version)
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			missing = append(missing, kind)
		} else if err != nil {
			e.skip(subject, err)
			return
		}
	}
	install := e.text("install the CRDs of this version: kubectl apply --server-side -k config/crd, or helm upgrade")
	switch old, err := e.oldSchema(ctx); {
	case len(missing) > 0:
		e.report(faulty, subject, e.text("not installed: %v", missing), install)
	case err != nil:
		e.report(inOrder, subject, e.text("all are installed; their version is not visible with your rights"), "")
	case old:
		e.report(faulty, subject, e.text("older than this plugin: Refunds have no spec.approvalMessage"), install)
	default:
		e.report(inOrder, subject, e.text("all are installed, in this version"), "")
	}
}

// oldSchema reports whether the Refund's schema lacks fields that this plugin writes.
func (e *examination) oldSchema(ctx context.Context) (bool, error) {
	definition, err := e.definition(ctx)
	if err != nil {
		return false, err
	}
	for _, version := range definition.Spec.Versions {
		if version.Name != v1alpha1.GroupVersion.Version || version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
			continue
		}
		spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
		_, has := spec.Properties["approvalMessage"]
		return !has, nil
	}
	return true, nil
}

// here limits a list to the chosen namespace.
func (e *examination) here() []client.ListOption {
	if e.everywhere {
		return nil
	}
	return []client.ListOption{client.InNamespace(e.namespace)}
}
