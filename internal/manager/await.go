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
	// lookDeadline is the timeout of one attempt: an API server that accepts connections but does
	// not respond must not delay the next attempt.
	lookDeadline = 10 * time.Second
	// longestPause is the longest pause between attempts; jitter spreads the replicas. The operator
	// starts within five seconds after the API server is back.
	longestPause = 4500 * time.Millisecond
	jitter       = 0.1
)

// awaited returns the kinds that the operator needs at startup.
func (o *Options) awaited() []string {
	kinds := []string{"Merchant", "Order", "Refund"}
	if o.Controllers {
		kinds = append(kinds, "EventSink", "MiniProgram", "Shipment", "Statement")
	}
	return kinds
}

// obstacle is why the operator can't start yet.
type obstacle struct {
	// what is one of a few texts, so that a line is logged only when it changes and not per
	// attempt.
	what string
	err  error
}

// awaitAPIServer waits until the API server responds, serves the operator's kinds and permits the
// operator to list them. If the process ended instead, the kubelet could delay its restart for up
// to five minutes after the API server is back (CrashLoopBackOff). awaitAPIServer returns the
// discovered mapper for later use; nil if the context ended before.
func awaitAPIServer(ctx context.Context, config *rest.Config, kinds, namespaces []string, log logr.Logger) (meta.RESTMapper, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("using the kubeconfig: %w", err)
	}
	began, lastLogged := time.Now(), ""
	pause := wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: jitter, Steps: 8, Cap: longestPause}
	for {
		mapper, found, err := look(ctx, config, httpClient, kinds, namespaces)
		if err != nil {
			return nil, err
		}
		if found == nil {
			if lastLogged != "" {
				log.Info("Continuing the startup", "waited", time.Since(began).Round(time.Second).String())
			}
			return mapper, nil
		}
		if ctx.Err() == nil && found.what != lastLogged {
			lastLogged = found.what
			log.Info("Waiting to start: "+found.what, "apiServer", config.Host, "error", found.err.Error())
		}
		log.V(1).Info("Not ready to start yet", "obstacle", found.what, "error", found.err.Error())
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause.Step()):
		}
	}
}

// look checks once what the startup needs. It returns an error only if waiting can't help.
func look(ctx context.Context, config *rest.Config, httpClient *http.Client, kinds, namespaces []string) (meta.RESTMapper, *obstacle, error) {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	// Each attempt uses a new mapper, because a mapper caches missing kinds.
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
	for _, kind := range kinds {
		if found := lookFor(ctx, reader, mapper, kind, namespaces); found != nil {
			return nil, found, nil
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

// mapped looks up how a kind is served. It respects the context, which a mapper does not take.
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
		return &obstacle{"the API server rejects the operator's credentials", err}
	case apierrors.IsForbidden(err):
		return &obstacle{fmt.Sprintf("the operator may not list the kind %s; bind its ServiceAccount to the manager's role (config/rbac)", kind), err}
	case errors.As(err, &status):
		return &obstacle{"the API server is not ready", err}
	default:
		return &obstacle{"the API server does not respond", err}
	}
}
