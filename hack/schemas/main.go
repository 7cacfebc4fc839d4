// Command schemas writes a JSON schema for each kind of the control plane in bin/k8s, including the
// operator's and those of additional CRD files, in kubeconform's layout:
// <folder>/<group>_<version>_<kind>.json. The schemas are strict: unknown fields are rejected. It
// reads them from the API server, so nothing is downloaded and they match the control plane's
// version.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

func main() {
	out := flag.String("out", "bin/schemas", "Folder that the schemas are written to.")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

// patience is the timeout for an API server on a busy machine.
const patience = 2 * time.Minute

func run(out string, crds []string) (err error) {
	env, err := controlplane.Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	definitions := []string{"io.wechatpay-operator.v1alpha1.Order"}
	if len(crds) > 0 {
		installed, err := envtest.InstallCRDs(env.Config, envtest.CRDInstallOptions{Paths: crds, ErrorIfPathMissing: true, MaxTime: patience})
		if err != nil {
			return fmt.Errorf("installing %v: %w", crds, err)
		}
		for _, crd := range installed {
			definitions = append(definitions, definitionName(crd.Spec.Group, crd.Spec.Versions[0].Name, crd.Spec.Names.Kind))
		}
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		return err
	}
	var api document
	// The API server publishes the schema of a kind a moment after it serves it.
	err = wait.PollUntilContextTimeout(context.Background(), 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		content, err := discoveryClient.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").Do(ctx).Raw()
		if err != nil {
			return false, err
		}
		api = document{}
		if err := json.Unmarshal(content, &api); err != nil {
			return false, err
		}
		for _, name := range definitions {
			if api.Definitions[name] == nil {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("reading /openapi/v2 with %v: %w", definitions, err)
	}
	return api.write(out)
}

// definitionName returns the API server's name of a custom kind: the reversed group, then version
// and kind.
func definitionName(group, version, kind string) string {
	parts := strings.Split(group, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(append(parts, version, kind), ".")
}

// document is the part of OpenAPI v2 that is read.
type document struct {
	Definitions map[string]map[string]any `json:"definitions"`
}

func (d document) write(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	for _, definition := range d.Definitions {
		strict(definition)
	}
	written := 0
	for name, definition := range d.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		// Kinds that belong to every group, such as DeleteOptions, occur in no manifest.
		if len(kinds) != 1 {
			continue
		}
		kind := kinds[0].(map[string]any)
		content, err := json.Marshal(map[string]any{"$ref": "#/definitions/" + name, "definitions": d.neededBy(name)})
		if err != nil {
			return err
		}
		group := kind["group"]
		if group == "" {
			group = kind["version"] // as kubeconform splits an apiVersion without a slash
		}
		file := strings.ToLower(fmt.Sprintf("%s_%s_%s.json", group, kind["version"], kind["kind"]))
		if err := os.WriteFile(filepath.Join(folder, file), content, 0o600); err != nil {
			return err
		}
		written++
	}
	fmt.Printf("%d schemas are in %s\n", written, folder)
	return nil
}

// neededBy returns a definition with all definitions that it refers to.
func (d document) neededBy(name string) map[string]any {
	needed := map[string]any{}
	var add func(name string)
	add = func(name string) {
		if needed[name] != nil {
			return
		}
		needed[name] = d.Definitions[name]
		walk(d.Definitions[name], func(part map[string]any) {
			if reference, ok := part["$ref"].(string); ok {
				add(strings.TrimPrefix(reference, "#/definitions/"))
			}
		})
	}
	add(name)
	return needed
}

// strict rejects unknown fields, and permits numbers where Kubernetes permits them besides strings.
func strict(definition map[string]any) {
	walk(definition, func(part map[string]any) {
		_, listed := part["properties"].(map[string]any)
		if _, more := part["additionalProperties"]; listed && !more && part["x-kubernetes-preserve-unknown-fields"] != true {
			part["additionalProperties"] = false
		}
		if part["format"] == "int-or-string" || part["x-kubernetes-int-or-string"] == true {
			part["type"] = []string{"string", "integer"}
			delete(part, "format")
		}
	})
	if description, _ := definition["description"].(string); strings.HasPrefix(description, "Quantity is") {
		definition["type"] = []string{"string", "number"}
	}
}

// walk visits every object of a schema.
func walk(part any, visit func(map[string]any)) {
	switch part := part.(type) {
	case map[string]any:
		visit(part)
		for _, inner := range part {
			walk(inner, visit)
		}
	case []any:
		for _, inner := range part {
			walk(inner, visit)
		}
	}
}
