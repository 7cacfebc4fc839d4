package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// mayApprove is what the console's page asks before it offers a decision.
const mayApprove = `{"spec":{"resourceAttributes":{"namespace":"shop","verb":"approve","group":"wechatpay-operator.io","resource":"refunds"}}}`

// showConsole starts the console, and logs in as each of the shop's staff.
func (d *demo) showConsole(ctx context.Context) error {
	if err := d.kubectl(ctx, admin, "apply", "--server-side", "-f", "hack/demo/staff.yaml"); err != nil {
		return err
	}
	program, err := d.build(ctx, "console", "./cmd/console")
	if err != nil {
		return err
	}
	authority := filepath.Join(d.folder, "cluster-ca.crt")
	if err := os.WriteFile(authority, d.cluster.Config.CAData, 0o600); err != nil {
		return err
	}
	if d.staffConsole, err = process.FreeAddress(); err != nil {
		return err
	}
	arguments := []string{"--bind-address=" + d.staffConsole, "--api-server=" + d.cluster.Config.Host, "--api-server-ca-file=" + authority, "--insecure-cookies", "--namespaces=" + namespace}
	d.console.command(append([]string{"bin/console"}, arguments...)...)
	if err := d.run("console", program, arguments...); err != nil {
		return err
	}
	if err := awaitOK(ctx, "http://"+d.staffConsole+"/healthz"); err != nil {
		return err
	}
	d.console.say("A page for the shop's staff. It has no rights: everybody acts with their own, and only the approver is offered a decision.")
	for _, account := range []string{"staff-viewer", "staff-shop", "staff-approver"} {
		answer, err := d.asStaff(ctx, account)
		if err != nil {
			return err
		}
		d.console.output(fmt.Sprintf("%s may approve: %t", account, answer))
		if err := expect("whether "+account+" may approve", answer, account == "staff-approver"); err != nil {
			return err
		}
	}
	return nil
}

// asStaff logs in at the console, and asks it whether that account may approve.
func (d *demo) asStaff(ctx context.Context, account string) (allowed bool, err error) {
	token, err := d.quietKubectl(ctx, "create", "token", account)
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, token)
	}
	login, err := json.Marshal(map[string]string{"token": strings.TrimSpace(token)})
	if err != nil {
		return false, err
	}
	entered, err := d.postToConsole(ctx, "/session", string(login))
	if err != nil {
		return false, err
	}
	defer entered.Body.Close()
	if err := expect("logging in as "+account, entered.StatusCode, http.StatusOK); err != nil {
		return false, err
	}
	asked, err := d.postToConsole(ctx, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", mayApprove, entered.Cookies()...)
	if err != nil {
		return false, err
	}
	defer asked.Body.Close()
	var review struct{ Status struct{ Allowed bool } }
	content, err := io.ReadAll(asked.Body)
	if err != nil {
		return false, err
	}
	err = json.Unmarshal(content, &review)
	return review.Status.Allowed, err
}

func (d *demo) postToConsole(ctx context.Context, path, body string, cookies ...*http.Cookie) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.staffConsole+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	return http.DefaultClient.Do(request)
}

// consoleAddress says where the console is, and how to log in.
func (d *demo) consoleAddress() string {
	return fmt.Sprintf(`  http://%s/#/%s/orders     the console, for the shop's staff. Log in with a token, which one of these makes (after . bin/run.env):

    kubectl create token staff-approver     # decides on Refunds
    kubectl create token staff-shop         # asks for Refunds, and decides on none
    kubectl create token staff-viewer       # looks`, d.staffConsole, namespace)
}
