// Package process runs the programs that the demo, the soak and the benchmarks start beside themselves.
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

// Grace is how long a process may take to end by itself; it is the Deployment's terminationGracePeriodSeconds.
const Grace = 90 * time.Second

// Process is a child with its output in a log file.
type Process struct {
	Name string

	command *exec.Cmd
	log     string
	ended   chan struct{}
}

// Start starts a program in a process group of its own, so that Ctrl-C in the terminal reaches the parent alone, which then
// stops its children in order. Its output goes to the end of the log. onEnd is called when it ends, wanted or not.
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
		_ = command.Wait() // how it ended is in ProcessState
		close(p.ended)
		onEnd(p)
	}()
	return p, nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// State says how the process ended. It may be asked for once Ended is closed.
func (p *Process) State() *os.ProcessState { return p.command.ProcessState }

// PID is its number.
func (p *Process) PID() int { return p.command.Process.Pid }

// Signal sends a signal. One that comes too late is no error.
func (p *Process) Signal(signal os.Signal) error {
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", signal, p.Name, err)
	}
	return nil
}

// Stop ends the process: politely, and after the grace by force.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(Grace):
	}
	_ = p.command.Process.Kill() // it may have ended in this moment
	<-p.ended
	return fmt.Errorf("%s did not end within %s", p.Name, Grace)
}

// Tail is the end of its output.
func (p *Process) Tail(lines int) string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// FreeAddress is an address of loopback that nobody listens on.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
