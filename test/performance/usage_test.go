package performance

import (
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// used is what a process has used so far: seconds of CPU, and bytes that are resident, and the most that ever were.
type used struct{ cpu, rss, peak float64 }

// The names under which the operator and the benchmark's own process are counted.
const manager, self = "manager", "load"

// usage looks at the benchmark's own process and at its children in /proc, which only Linux has. The result is by name.
func (b *bench) usage() map[string]used {
	all, err := procfs.AllProcs()
	b.must(err)
	by := map[string]used{}
	for _, process := range all {
		stat, err := process.Stat()
		if err != nil || stat.PID != os.Getpid() && stat.PPID != os.Getpid() {
			continue // it has ended meanwhile, or is not ours
		}
		name := strings.TrimSpace(stat.Comm)
		if stat.PID == os.Getpid() {
			name = self
		}
		status, err := process.NewStatus()
		if err != nil {
			continue
		}
		u := by[name]
		by[name] = used{u.cpu + stat.CPUTime(), u.rss + float64(stat.ResidentMemory()), u.peak + float64(status.VmHWM)}
	}
	return by
}

// sumOfSeries sums up the series of a metric of a process whose labels match a pattern. They are sorted by their names.
func (b *bench) sumOfSeries(by *http.Client, host, name, labels string) float64 {
	text, err := get(b.ctx, by, host+"/metrics")
	b.must(err)
	sum := 0.0
	for _, series := range regexp.MustCompile(`(?m)^`+name+`(?:\{.*`+labels+`.*\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(series[1], 64)
		b.must(err)
		sum += value
	}
	return sum
}
