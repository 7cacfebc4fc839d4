package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// machine is what the figures were measured on.
type machine struct {
	Cores int    `json:"cores"`
	CPU   string `json:"cpu"`
	Go    string `json:"go"`
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if files, err := procfs.NewDefaultFS(); err == nil {
		if cores, err := files.CPUInfo(); err == nil && len(cores) > 0 {
			m.CPU = cores[0].ModelName
		}
	}
	return m
}

// usage is what the processes have used so far, by name: CPU time, and resident memory in bytes.
type usage struct {
	cpu map[string]time.Duration
	rss map[string]int
}

// self is the name under which the benchmark's own process is counted: the load.
const self = "load"

// usageOf looks at the benchmark's own process and at its children.
func usageOf() (usage, error) {
	u := usage{cpu: map[string]time.Duration{}, rss: map[string]int{}}
	all, err := procfs.AllProcs()
	if err != nil {
		return u, fmt.Errorf("reading /proc, which only Linux has: %w", err)
	}
	for _, process := range all {
		stat, err := process.Stat()
		if err != nil {
			continue // it has ended meanwhile
		}
		switch os.Getpid() {
		case stat.PID:
			u.add(self, stat)
		case stat.PPID:
			u.add(strings.TrimSpace(stat.Comm), stat)
		}
	}
	return u, nil
}

func (u usage) add(name string, stat procfs.ProcStat) {
	u.cpu[name] += time.Duration(stat.CPUTime() * float64(time.Second))
	u.rss[name] += stat.ResidentMemory()
}

// since is the CPU time that was used after an earlier look, by name.
func (u usage) since(before usage) map[string]time.Duration {
	used := map[string]time.Duration{}
	for name, now := range u.cpu {
		used[name] = now - before.cpu[name]
	}
	return used
}
