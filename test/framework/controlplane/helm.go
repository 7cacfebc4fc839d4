package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Chart is the folder of the Helm chart in the repository.
const Chart = "config/helm/wechatpay-operator"

// Helm runs helm, either the binary that `make` builds or the one that HELM names, and returns its
// output. An error contains helm's error output.
func Helm(ctx context.Context, arguments ...string) ([]byte, error) {
	helm, err := helmBinary()
	if err != nil {
		return nil, err
	}
	return output(ctx, helm, arguments...)
}

// output runs a program in the repository, and returns what it prints. An error contains its error output.
func output(ctx context.Context, program string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = Root()
	var complaint bytes.Buffer
	command.Stderr = &complaint
	printed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w: %s", filepath.Base(program), arguments, err, complaint.String())
	}
	return printed, nil
}

// HelmTemplate returns the objects that the chart renders with the given helm flags.
func HelmTemplate(ctx context.Context, namespace string, flags ...string) ([]*unstructured.Unstructured, error) {
	output, err := Helm(ctx, append([]string{"template", "wechatpay-operator", Chart, "--namespace", namespace}, flags...)...)
	if err != nil {
		return nil, err
	}
	return Decode(bytes.NewReader(output))
}

func helmBinary() (string, error) {
	if helm := os.Getenv("HELM"); helm != "" {
		return helm, nil
	}
	found, err := filepath.Glob(filepath.Join(Root(), "bin", "tools", "*", "helm"))
	if err != nil || len(found) == 0 {
		return "", errors.Join(errors.New("no helm in bin/tools: run `make manifest-tools`, or set HELM"), err)
	}
	return found[len(found)-1], nil
}
