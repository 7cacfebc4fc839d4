package performance

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// The units of the figures that are read of benchmarks.
const (
	cpuTime     = "cpu-ns/op"
	allocations = "allocs/op"
)

// benchmarks are those of another package, compiled.
type benchmarks struct {
	bench          *bench
	folder, binary string
}

func (b *bench) compile(folder string) benchmarks {
	compiled := benchmarks{b, inRepository(folder), filepath.Join(b.TempDir(), filepath.Base(folder)+".test")}
	compiled.call("go", "test", "-c", "-o", compiled.binary, ".")
	return compiled
}

// run runs those whose names match, each so many times, on one core.
func (b benchmarks) run(pattern, times string) string {
	return b.call(b.binary, "-test.run=^$", "-test.cpu=1", "-test.bench="+pattern, "-test.benchtime="+times)
}

func (b benchmarks) call(command string, arguments ...string) string {
	called := exec.CommandContext(b.bench.ctx, command, arguments...)
	called.Dir = b.folder
	output, err := called.CombinedOutput()
	if err != nil {
		b.bench.Fatalf("%s in %s: %v\n%s", command, b.folder, err, output)
	}
	return string(output)
}

// samples are figures of benchmarks by "<benchmark> <unit>".
type samples map[string][]float64

// Names of benchmarks of API v3 may begin with V3, where those of API v2 are in the same package.
var (
	benchmarkLine   = regexp.MustCompile(`(?m)^Benchmark(?:V3)?(\S+)\s+\d+\s+(.*)$`)
	benchmarkFigure = regexp.MustCompile(`([\d.]+) (\S+)`)
)

// add reads the output of benchmarks.
func (s samples) add(output string) {
	for _, line := range benchmarkLine.FindAllStringSubmatch(output, -1) {
		for _, said := range benchmarkFigure.FindAllStringSubmatch(line[2], -1) {
			if value, err := strconv.ParseFloat(said[1], 64); err == nil {
				name := line[1] + " " + said[2]
				s[name] = append(s[name], value)
			}
		}
	}
}

// median is 0 if the benchmark did not run.
func (s samples) median(benchmark, unit string) float64 {
	values := slices.Sorted(slices.Values(s[benchmark+" "+unit]))
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

func TestSamples(t *testing.T) {
	s := samples{}
	for _, cpu := range []string{"3.5", "9", "1"} {
		s.add("goos: linux\nBenchmarkV3Reply/gopay \t 100\t 812 ns/op\t " + cpu + " cpu-ns/op\t 7 B/op\t 3 allocs/op\nPASS\n")
	}
	if got := [...]float64{s.median("Reply/gopay", cpuTime), s.median("Reply/gopay", allocations), s.median("Reply", cpuTime)}; got != [...]float64{3.5, 3, 0} {
		t.Errorf("the medians are %v", got)
	}
}
