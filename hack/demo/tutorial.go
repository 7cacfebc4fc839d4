package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// walkTutorial runs the commands of docs/tutorial.md, as somebody does who reads it.
func (d *demo) walkTutorial(ctx context.Context) error {
	page, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs/tutorial.md"))
	if err != nil {
		return err
	}
	d.console.say("Every command of docs/tutorial.md:")
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-v", "-c", shellBlocks(string(page)))
	command.Dir = controlplane.Root()
	command.Env = append([]string{"HOME=" + d.folder}, d.environment()...)
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.console.output(string(output))
	if err != nil {
		return &mismatch{what: "docs/tutorial.md", expected: "exit status 0", got: err.Error()}
	}
	return nil
}

// shellBlocks joins the blocks of a page that are marked as sh. What belongs into another terminal is marked as console.
func shellBlocks(page string) string {
	var script strings.Builder
	inside := false
	for line := range strings.Lines(page) {
		switch {
		case strings.TrimSpace(line) == "```sh":
			inside = true
		case strings.TrimSpace(line) == "```":
			inside = false
		case inside:
			script.WriteString(line)
		}
	}
	return script.String()
}

// environment is what bin/run.env sets.
func (d *demo) environment() []string {
	return []string{
		"KUBECONFIG=" + d.kubeconfig(), "PATH=" + d.path(),
		"SHOP=http://" + d.storefront, "CASHIER=" + d.wechat.BaseURL + "/cashier/", "WECHAT=" + d.wechat.BaseURL,
	}
}

// runEnv is the file that a second terminal reads.
const runEnv = "bin/run.env"

func (d *demo) writeEnvironment() error {
	var lines strings.Builder
	for _, setting := range d.environment() {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&lines, "export %s=%s\n", name, quote(value))
	}
	return os.WriteFile(filepath.Join(controlplane.Root(), runEnv), []byte(lines.String()), 0o600)
}
