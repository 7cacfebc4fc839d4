package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const (
	// lookDeadline bounds one look at the API server: one that takes connections and says nothing must not hold the next look up.
	lookDeadline = 10 * time.Second
	// longestPause between looks, and how much longer one may be by chance, so that replicas do not look at the same moments. The
	// operator is back within five seconds of the API server.
	longestPause = 4500 * time.Millisecond
	jitter       = 0.1
)

// awaited are the kinds that the operator can't start without.
var awaited = []string{"Merchant", "Order", "Refund"}

// obstacle is why the operator can't start yet.
type obstacle struct {
	// what is one of a few texts, so that a line is logged when it changes and not for each look.
	what string
	err  error
}

// awaitAPIServer waits until the API server answers, serves the operator's kinds and lets the operator list them. A process that
// ended instead would be kept away by the kubelet for up to five minutes after the API server is back (CrashLoopBackOff). It
// returns how the kinds are served, so that what follows does not have to ask again; nil when the context ended before.
func awaitAPIServer(ctx context.Context, config *rest.Config, namespaces []string, log logr.Logger) (meta.RESTMapper, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	began, told := time.Now(), ""
	pause := wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: jitter, Steps: 8, Cap: longestPause}
	for {
		mapper, in, err := look(ctx, config, httpClient, namespaces)
		if err != nil {
			return nil, err
		}
		if in == nil {
			if told != "" {
				log.Info("Going on with the start", "waited", time.Since(began).Round(time.Second).String())
			}
			return mapper, nil
		}
		if ctx.Err() == nil && in.what != told {
			told = in.what
			log.Info("Waiting to start: "+in.what, "apiServer", config.Host, "error", in.err.Error())
		}
		log.V(1).Info("Not there yet", "obstacle", in.what, "error", in.err.Error())
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause.Step()):
		}
	}
}

// look tries what the start needs. An error is one that waiting does not mend.
func look(ctx context.Context, config *rest.Config, httpClient *http.Client, namespaces []string) (meta.RESTMapper, *obstacle, error) {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	// Each look has a mapper of its own, which knows nothing of what was not there before.
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		return nil, nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	reader, err := client.New(config, client.Options{HTTPClient: httpClient, Mapper: mapper})
	if err != nil {
		return nil, nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, kind := range awaited {
		if in := lookFor(ctx, reader, mapper, kind, namespaces); in != nil {
			return nil, in, nil
		}
	}
	return mapper, nil, nil
}

func lookFor(ctx context.Context, reader client.Client, mapper meta.RESTMapper, kind string, namespaces []string) *obstacle {
	gvk := v1alpha1.GroupVersion.WithKind(kind)
	if err := mapped(ctx, mapper, gvk.GroupKind()); err != nil {
		return obstacleOf(err, kind)
	}
	for _, namespace := range namespaces {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
		if err := reader.List(ctx, list, client.InNamespace(namespace), client.Limit(1)); err != nil {
			return obstacleOf(err, kind)
		}
	}
	return nil
}

// mapped asks how a kind is served, for no longer than the context: a mapper takes none.
func mapped(ctx context.Context, mapper meta.RESTMapper, kind schema.GroupKind) error {
	answer := make(chan error, 1)
	go func() {
		_, err := mapper.RESTMapping(kind, v1alpha1.GroupVersion.Version)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func obstacleOf(err error, kind string) *obstacle {
	status := apierrors.APIStatus(nil)
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return &obstacle{fmt.Sprintf("the API server does not serve the kind %s; install the CustomResourceDefinitions (config/crd)", kind), err}
	case apierrors.IsUnauthorized(err):
		return &obstacle{"the API server does not take the operator's credentials", err}
	case apierrors.IsForbidden(err):
		return &obstacle{fmt.Sprintf("the operator may not list the kind %s; bind its ServiceAccount to the manager's role (config/rbac)", kind), err}
	case errors.As(err, &status):
		return &obstacle{"the API server is not ready to answer", err}
	default:
		return &obstacle{"the API server does not answer", err}
	}
}
