package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// The users of the demo, as in the API server and in the kubeconfig.
const (
	admin     = "admin"
	shop      = "shop-backend"
	editor    = "editor"
	approver  = "wang"
	neighbour = "neighbour"
	clerk     = "clerk"
)

// kubectl runs kubectl as a user, and prints command and output. It fails if kubectl does.
func (d *demo) kubectl(ctx context.Context, user string, arguments ...string) error {
	if _, err := d.tryKubectl(ctx, user, arguments...); err != nil {
		return &mismatch{what: "kubectl " + strings.Join(arguments, " "), expected: "exit status 0", got: err.Error()}
	}
	return nil
}

// refused runs kubectl as a user; kubectl must fail with an error that contains words.
func (d *demo) refused(ctx context.Context, user string, words []string, arguments ...string) error {
	output, err := d.tryKubectl(ctx, user, arguments...)
	var exit *exec.ExitError
	what := "kubectl " + strings.Join(arguments, " ") + " as " + user
	switch {
	case err == nil:
		return &mismatch{what: what, expected: "a refusal", got: "success"}
	case !errors.As(err, &exit):
		return err
	}
	for _, word := range words {
		if !strings.Contains(output, word) {
			return &mismatch{what: what, expected: "a message with: " + word, got: output}
		}
	}
	return nil
}

func (d *demo) tryKubectl(ctx context.Context, user string, arguments ...string) (string, error) {
	arguments = append([]string{"--context", user}, arguments...)
	d.console.command(append([]string{"kubectl"}, arguments...)...)
	output, err := d.quietKubectl(ctx, arguments...)
	if ctx.Err() != nil {
		return output, context.Cause(ctx)
	}
	d.console.output(output)
	return output, err
}

func (d *demo) quietKubectl(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(assets(), "kubectl"), arguments...)
	command.Dir = controlplane.Root()
	// No personal settings or cache, so that the output is the same for everyone.
	command.Env = []string{"KUBECONFIG=" + d.kubeconfig(), "HOME=" + d.folder, "PATH=" + d.path()}
	output, err := command.CombinedOutput()
	return string(output), err
}

// path has what was built here and the control plane's kubectl first.
func (d *demo) path() string {
	return filepath.Join(controlplane.Root(), "bin") + ":" + assets() + ":" + os.Getenv("PATH")
}

// assets returns the folder of the control plane's binaries, which exist because it already runs.
func assets() string {
	assets, _ := controlplane.Assets()
	return assets
}
