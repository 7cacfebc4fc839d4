// Package ippprinter runs the IPP Everywhere printer of CUPS (ippeveprinter) for tests, with the
// DNS-SD daemon that it needs, on a message bus of its own.
package ippprinter

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
)

// Font is a font with Chinese characters; test/install-printer.sh installs it.
const Font = "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"

// Printer is a running ippeveprinter.
type Printer struct {
	t       testing.TB
	folder  string
	bus     string
	port    string
	process *exec.Cmd
}

// Start starts a printer. Where it is not installed the test is skipped, or fails if REQUIRE_PRINTER
// is 1. A job waits while PaperOut holds, as it does in a printer without paper.
func Start(t testing.TB) *Printer {
	t.Helper()
	for _, program := range []string{"ippeveprinter", "ipptool", "avahi-daemon", "dbus-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program)
		}
	}
	if _, err := os.Stat(Font); err != nil {
		missing(t, Font)
	}
	// A socket has a short name, shorter than t.TempDir makes it.
	folder, err := os.MkdirTemp("", "ipp") //nolint:usetesting // it is too long
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	must(t, err)
	must(t, listener.Close())
	p := &Printer{t: t, folder: folder, bus: "DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + filepath.Join(folder, "bus"), port: port}
	p.startDiscovery()
	must(t, errors.Join(os.Mkdir(filepath.Join(folder, "out"), 0o700), os.Mkdir(filepath.Join(folder, "spool"), 0o700)))
	// The command prints by keeping the document, once there is paper.
	p.write("print", `#!/bin/sh
if [ -e "`+folder+`/no-paper" ]; then
  echo "STATE: +media-empty-error" >&2
  while [ -e "`+folder+`/no-paper" ]; do sleep 0.05; done
  echo "STATE: -media-empty-error" >&2
fi
for document; do :; done
cp "$document" "`+folder+`/out/$(date +%s%N)"
`, 0o700)
	p.SwitchOn()
	return p
}

// missing skips a test, or fails it where the printer is required.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_PRINTER") == "1" {
		t.Fatalf("%s is not installed: run make printer-tools", what)
	}
	t.Skipf("%s is not installed, so IPP is not tested: make printer-tools installs it", what)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *Printer) write(name, content string, mode os.FileMode) {
	p.t.Helper()
	must(p.t, os.WriteFile(filepath.Join(p.folder, name), []byte(content), mode))
}

// startDiscovery starts a message bus and avahi, without which ippeveprinter does not start. An avahi
// that runs on this machine can't be used: only one may run, so tests of two checkouts at a time wait
// for each other.
func (p *Printer) startDiscovery() {
	p.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path=`+p.folder+`/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>`, 0o600)
	p.write("avahi.conf", "[server]\nallow-interfaces=lo\nuse-ipv6=no\nenable-dbus=yes\n[publish]\npublish-addresses=no\n", 0o600)
	p.run("dbus-daemon", "--config-file="+filepath.Join(p.folder, "bus.conf"), "--nofork", "--nopidfile")
	p.eventually("the message bus listens", func() error { _, err := os.Stat(filepath.Join(p.folder, "bus")); return err })
	p.eventually("avahi runs", func() error {
		avahi := p.run("avahi-daemon", "--file="+filepath.Join(p.folder, "avahi.conf"), "--no-drop-root", "--no-chroot", "--no-rlimits")
		log := filepath.Join(p.folder, "avahi-daemon.log")
		for avahi.ProcessState == nil {
			content, err := os.ReadFile(log)
			if err != nil || strings.Contains(string(content), "Server startup complete") {
				return err
			}
			if strings.Contains(string(content), "exiting") || strings.Contains(string(content), "already running") {
				return fmt.Errorf("%s", content)
			}
			<-time.After(10 * time.Millisecond)
		}
		return errors.New("it ended")
	})
}

func (p *Printer) eventually(what string, check func() error) {
	p.t.Helper()
	fixture.Eventually(p.t, what, check)
}

// run starts a program and ends it with the test.
func (p *Printer) run(program string, arguments ...string) *exec.Cmd {
	p.t.Helper()
	log, err := os.Create(filepath.Join(p.folder, program+".log"))
	must(p.t, err)
	defer func() { _ = log.Close() }()
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr, command.Dir = log, log, p.folder
	command.Env = append(os.Environ(), p.bus)
	must(p.t, command.Start())
	p.t.Cleanup(func() { end(command) })
	return command
}

// end kills a program, unless it has ended.
func end(command *exec.Cmd) {
	if command.ProcessState == nil {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
}

// SwitchOn starts the printer.
func (p *Printer) SwitchOn() {
	p.t.Helper()
	p.process = p.run("ippeveprinter", "-p", p.port, "-d", filepath.Join(p.folder, "spool"), "-n", "localhost",
		"-f", "image/pwg-raster", "-c", filepath.Join(p.folder, "print"), "-vv", "Order desk")
	p.eventually("the printer answers", func() error {
		answer, err := net.Dial("tcp", "127.0.0.1:"+p.port)
		if err != nil {
			return err
		}
		return answer.Close()
	})
}

// SwitchOff kills the printer. It forgets its jobs.
func (p *Printer) SwitchOff() { end(p.process) }

// RunOut takes the paper away.
func (p *Printer) RunOut() { p.write("no-paper", "", 0o600) }

// Refill puts paper in.
func (p *Printer) Refill() { must(p.t, os.Remove(filepath.Join(p.folder, "no-paper"))) }

// URL returns the address for --printer.
func (p *Printer) URL() string { return "ipp://localhost:" + p.port + "/ipp/print" }

// Documents returns the files that were printed, in this order.
func (p *Printer) Documents() []string {
	files, err := filepath.Glob(filepath.Join(p.folder, "out", "*"))
	must(p.t, err)
	return files
}

// Log returns what the printer says, for a test that fails.
func (p *Printer) Log() string {
	content, err := os.ReadFile(filepath.Join(p.folder, "ippeveprinter.log"))
	must(p.t, err)
	return string(content[max(0, len(content)-4000):])
}
