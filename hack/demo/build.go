package main

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// build compiles a command of the repository into bin/ and returns its path.
func (d *demo) build(ctx context.Context, name, folder string) (string, error) {
	d.console.command("go", "build", "-o", "bin/"+name, folder)
	command := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", filepath.Join("bin", name), folder)
	command.Dir = controlplane.Root()
	output, err := command.CombinedOutput()
	d.console.output(string(output))
	if err != nil {
		return "", &mismatch{what: "building " + name, expected: "exit status 0", got: err.Error()}
	}
	return filepath.Join(controlplane.Root(), "bin", name), nil
}

// awaitOK polls a URL until it answers 200.
func awaitOK(ctx context.Context, url string) error {
	return await(ctx, url, func(ctx context.Context) (bool, string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, "", err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err.Error(), nil //nolint:nilerr // retry until it listens
		}
		return response.StatusCode == http.StatusOK, response.Status, response.Body.Close()
	})
}
