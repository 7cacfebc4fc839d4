// Package process runs the child processes of the demo, the soak test and the benchmarks.
package process

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Grace is how long a process may take to exit after SIGTERM; it is the Deployment's
// terminationGracePeriodSeconds.
const Grace = 90 * time.Second

// Process is a child process with a log file.
type Process struct {
	Name string

	command *exec.Cmd
	log     string
	ended   chan struct{}
}

// Start starts a program in its own process group, so that Ctrl-C in the terminal reaches only the
// parent, which then stops its children in order. The output is appended to the log. onEnd is
// called when the process ends, expected or not.
func Start(name, log, program string, arguments []string, onEnd func(*Process)) (*Process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }() // the child has its own handle
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{Name: name, command: command, log: log, ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // ProcessState has the result
		close(p.ended)
		onEnd(p)
	}()
	return p, nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// State returns how the process ended. Call it only after Ended is closed.
func (p *Process) State() *os.ProcessState { return p.command.ProcessState }

// Signal sends a signal. It ignores that the process has already ended.
func (p *Process) Signal(signal os.Signal) error {
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", signal, p.Name, err)
	}
	return nil
}

// Stop sends SIGTERM, and SIGKILL after Grace.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(Grace):
	}
	_ = p.command.Process.Kill() // it may have ended just now
	<-p.ended
	return fmt.Errorf("%s did not end within %s", p.Name, Grace)
}

// Tail returns the last lines of the output.
func (p *Process) Tail(lines int) string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// FreeAddress returns an unused loopback address.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// FreeAddresses returns different unused loopback addresses.
func FreeAddresses(count int) ([]string, error) {
	addresses := make([]string, count)
	for i := range addresses {
		var err error
		if addresses[i], err = FreeAddress(); err != nil {
			return nil, err
		}
	}
	return addresses, nil
}
