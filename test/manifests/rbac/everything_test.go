package rbac_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
)

// TestManagerMayDoNothingElse asks for each verb on each resource that the API server has, so that nothing is forgotten
// in the list of TestRights.
func TestManagerMayDoNothingElse(t *testing.T) {
	found, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := found.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{
		group + " merchants": "get list watch patch", group + " merchants/status": "update",
		group + " orders": "get list watch patch delete", group + " orders/status": "update",
		group + " refunds": "get list watch create patch", group + " refunds/status": "update",
		group + " eventsinks": "get list watch", group + " eventsinks/status": "update",
		group + " miniprograms": "get list watch", group + " miniprograms/status": "update",
		group + " shipments": "get list watch create delete", group + " shipments/status": "update",
		group + " statements": "get list watch create", group + " statements/status": "update",
		" secrets": "get", " namespaces": "get list watch", "events.k8s.io events": "create patch",
		"authentication.k8s.io tokenreviews": "create", "authorization.k8s.io subjectaccessreviews": "create",
		// What every ServiceAccount may: know whom to trust, and ask about itself.
		"certificates.k8s.io clustertrustbundles":  "get list watch",
		"authentication.k8s.io selfsubjectreviews": "create", "authorization.k8s.io selfsubjectaccessreviews": "create",
		"authorization.k8s.io selfsubjectrulesreviews": "create",
	}
	asked := 0
	for _, list := range lists {
		groupOfList, _, hasGroup := strings.Cut(list.GroupVersion, "/")
		if !hasGroup {
			groupOfList = ""
		}
		for _, resource := range list.APIResources {
			for _, namespace := range []string{shopNamespace, ""} {
				for _, verb := range verbs {
					is, err := may(t.Context(), "manager", right{groupOfList, resource.Name, verb, namespace, ""})
					if err != nil {
						t.Fatal(err)
					}
					want := slices.Contains(strings.Fields(allowed[groupOfList+" "+resource.Name]), verb)
					if is != want {
						t.Errorf("%s %s %s in %q: allowed is %t, want %t", verb, groupOfList, resource.Name, namespace, is, want)
					}
					asked++
				}
			}
		}
	}
	if asked < 1500 {
		t.Errorf("only %d questions were asked: was everything discovered?", asked)
	}
}
