package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// restartDelay is how long a crashed program stays down, like a kubelet's first back-off.
const restartDelay = time.Second

// child is a program that is restarted whenever it ends, until close.
type child struct {
	name, program string
	arguments     []string
	log           string

	mu       sync.Mutex
	running  *process.Process
	closing  bool
	downtime time.Duration
	starts   int
	// struck is true if the next exit is intended; exits counts the others by exit state.
	struck bool
	exits  map[string]int
	over   sync.WaitGroup
}

func newChild(folder, name, program string, arguments ...string) *child {
	return &child{
		name: name, program: program, arguments: arguments, log: filepath.Join(folder, name+".log"),
		downtime: restartDelay, exits: map[string]int{},
	}
}

// start starts the program and keeps it running.
func (c *child) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	started, err := process.Start(c.name, c.log, c.program, c.arguments, c.ended)
	if err != nil {
		return err
	}
	c.running = started
	c.starts++
	return nil
}

// ended counts how the program ended, and restarts it.
func (c *child) ended(p *process.Process) {
	c.mu.Lock()
	if !c.struck && !c.closing {
		c.exits[p.State().String()]++
	}
	wait := c.downtime
	c.struck, c.downtime = false, restartDelay
	c.running = nil
	closing := c.closing
	if !closing {
		c.over.Add(1)
	}
	c.mu.Unlock()
	if closing {
		return
	}
	defer c.over.Done()
	time.Sleep(wait)
	if err := c.start(); err != nil {
		panic(err) // the program could be started before; without it the soak can't continue
	}
}

// strike sends a signal that ends the program, which then stays down for a while.
func (c *child) strike(signal os.Signal, downtime time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return false
	}
	c.struck, c.downtime = true, downtime
	return c.running.Signal(signal) == nil
}

// pause stops the program with SIGSTOP and continues it after a while.
func (c *child) pause(ctx context.Context, length time.Duration) bool {
	c.mu.Lock()
	p := c.running
	c.mu.Unlock()
	if p == nil || p.Signal(syscall.SIGSTOP) != nil {
		return false
	}
	pause(ctx, length)
	return p.Signal(syscall.SIGCONT) == nil
}

// close ends the program for good.
func (c *child) close() error {
	c.mu.Lock()
	c.closing = true
	p := c.running
	c.mu.Unlock()
	defer c.over.Wait()
	if p == nil {
		return nil
	}
	return p.Stop()
}

func (c *child) started() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starts
}

// ownEnds returns how, and how often, the program ended unexpectedly.
func (c *child) ownEnds() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.exits)
}

// pause waits, or returns early if the context ends.
func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
