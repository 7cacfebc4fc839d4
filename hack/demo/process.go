package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// grace is how long a process may take to end by itself; it is the Deployment's terminationGracePeriodSeconds.
const grace = 60 * time.Second

// process is a child with its output in a log file.
type process struct {
	name    string
	command *exec.Cmd
	log     string
	ended   chan struct{}
}

// startProcess starts a program in a process group of its own, so that Ctrl-C in the terminal reaches the demo alone,
// which then stops its children in order. onEnd is called when it ends, wanted or not.
func startProcess(name, log, program string, arguments []string, onEnd func(*process)) (*process, error) {
	output, err := os.Create(log)
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
	p := &process{name: name, command: command, log: log, ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // how it ended is in ProcessState
		close(p.ended)
		onEnd(p)
	}()
	return p, nil
}

// stop ends the process: politely, and after the grace by force.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(grace):
	}
	_ = p.command.Process.Kill() // it may have ended in this moment
	<-p.ended
	return fmt.Errorf("%s did not end within %s", p.name, grace)
}

// tail is the end of its output.
func (p *process) tail(lines int) string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
