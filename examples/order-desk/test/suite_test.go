package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

var (
	env *controlplane.Environment
	// program is the desk's binary.
	program string
)

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "order-desk")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(folder, "order-desk")
	build := exec.Command("go", "build", "-o", program, "..")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, output)
		os.Exit(1)
	}
	ctrl.SetLogger(logr.Discard())
	controlplane.Main(removing{m, folder}, &env, nil)
}

// removing removes a folder after the tests.
type removing struct {
	*testing.M
	folder string
}

func (r removing) Run() int {
	code := r.M.Run()
	_ = os.RemoveAll(r.folder)
	return code
}

// desk is a desk that is killed and started again.
type desk struct {
	t            testing.TB
	folder       string
	events, page string
	arguments    []string
	environment  []string
	log          syncBuffer
	process      *exec.Cmd
}

// syncBuffer is a buffer that a process writes to while a test reads.
type syncBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(content []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(content)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// newDesk makes a desk that trusts fixture.SigningKey and is not running yet. Its waits are short.
func newDesk(t testing.TB, arguments ...string) *desk {
	t.Helper()
	d := &desk{t: t, folder: t.TempDir(), environment: os.Environ()}
	d.file("keys/signingKey", fixture.SigningKey)
	d.events, d.page = freeAddress(t), freeAddress(t)
	d.arguments = append([]string{
		"--data=" + d.folder, "--signing-keys=" + filepath.Join(d.folder, "keys"), "--events-bind-address=" + d.events, "--page-bind-address=" + d.page,
		"--retry-first=20ms", "--retry-most=200ms", "--printer-patience=1s", "--read-orders=false",
	}, arguments...)
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("the desk says:\n%s", d.log.String())
		}
	})
	return d
}

func freeAddress(t testing.TB) string {
	address, err := process.FreeAddress()
	must(t, err)
	return address
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file writes a file into the desk's folder, and returns its path.
func (d *desk) file(name, content string) string {
	d.t.Helper()
	path := filepath.Join(d.folder, name)
	must(d.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(d.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// start starts the desk and waits until it serves.
func (d *desk) start() {
	d.t.Helper()
	d.process = d.command()
	d.process.Stdout, d.process.Stderr = &d.log, &d.log
	must(d.t, d.process.Start())
	fixture.Eventually(d.t, "the desk serves", func() error {
		answer, err := http.Get("http://" + d.page + "/healthz")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
}

func (d *desk) command() *exec.Cmd {
	command := exec.Command(program, d.arguments...)
	command.Env = d.environment
	return command
}

// kill ends the desk without a warning.
func (d *desk) kill() {
	if d.process != nil {
		_ = d.process.Process.Kill()
		_ = d.process.Wait()
		d.process = nil
	}
}

// send sends an event once and returns the status, 0 for no answer.
func (d *desk) send(e event.Event) int {
	answer, err := http.DefaultClient.Do(fixture.Request(d.t, "http://"+d.events+"/wechatpay", e))
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// mustTake sends an event, which the desk has to take.
func (d *desk) mustTake(e event.Event) {
	d.t.Helper()
	if status := d.send(e); status != http.StatusNoContent {
		d.t.Fatalf("HTTP %d", status)
	}
}

// get returns a page of the desk.
func (d *desk) get(path string) string {
	d.t.Helper()
	answer, err := http.Get("http://" + d.page + path)
	must(d.t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	must(d.t, err)
	return string(content)
}

// shows waits until the page shows a text.
func (d *desk) shows(text string) {
	d.t.Helper()
	fixture.Eventually(d.t, "the page shows "+text, func() error {
		if page := d.get("/?lang=en"); !strings.Contains(page, text) {
			return fmt.Errorf("%s", page)
		}
		return nil
	})
}
