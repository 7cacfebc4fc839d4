package performance

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/prometheus/procfs"
)

// keepApart gives the control plane one half of the cores, and everything else the other half, as in a cluster where
// the operator does not run beside kube-apiserver. Threads that a process starts later stay where it is. It needs
// taskset (util-linux).
func (b *bench) keepApart() {
	half, all := runtime.NumCPU()/2, runtime.NumCPU()
	if half == 0 {
		b.Fatal("one core can't be divided")
	}
	controlPlane, others := fmt.Sprintf("0-%d", half-1), fmt.Sprintf("%d-%d", half, all-1)
	processes, err := procfs.AllProcs()
	b.must(err)
	for _, process := range processes {
		stat, err := process.Stat()
		if err != nil || stat.PID != os.Getpid() && stat.PPID != os.Getpid() {
			continue // it has ended meanwhile, or is not ours
		}
		cores := others
		if stat.Comm == "kube-apiserver" || stat.Comm == "etcd" {
			cores = controlPlane
		}
		if said, err := exec.CommandContext(b.ctx, "taskset", "--all-tasks", "--cpu-list", "--pid", cores, strconv.Itoa(stat.PID)).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, said)
		}
	}
}
