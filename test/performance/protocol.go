package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// protocolRuns is how often both sides run, in turns.
const protocolRuns = 5

// protocolSteps are the benchmarks that both sides have.
var protocolSteps = []struct{ name, what string }{
	{"PaymentCallback", "a payment callback, read and verified"},
	{"UnifiedOrder", "a unifiedorder, signed and written"},
	{"Reply", "the reply to it, read and verified"},
}

// cost is the median of what a step took.
type cost struct{ nanoseconds, allocations float64 }

// measureProtocol compares what a message costs with gopay, which is a module of its own. They run on one core, in turns.
func measureProtocol(ctx context.Context, o settings, r *results) error {
	ours, theirs := map[string][]cost{}, map[string][]cost{}
	for range protocolRuns {
		err := errors.Join(
			runBenchmarks(ctx, filepath.Join(controlplane.Root(), "internal", "wechatpay", "v2"), ours),
			runBenchmarks(ctx, filepath.Join(controlplane.Root(), o.protocol), theirs),
		)
		if err != nil {
			return err
		}
	}
	for _, step := range protocolSteps {
		for _, signType := range []string{"MD5", "HMAC-SHA256"} {
			name := step.name + "/" + signType
			if len(ours[name+"/ours"]) == 0 || len(theirs[name+"/gopay"]) == 0 {
				return fmt.Errorf("there is no benchmark %s on both sides", name)
			}
			we, they := medianCost(ours[name+"/ours"]), medianCost(theirs[name+"/gopay"])
			r.add(name+"/time", they.nanoseconds/we.nanoseconds, "x", "faster than gopay: %s, in %.1f µs instead of %.1f", step.what, we.nanoseconds/1000, they.nanoseconds/1000)
			r.add(name+"/allocations", they.allocations/we.allocations, "x", "fewer allocations than gopay: %.0f instead of %.0f", we.allocations, they.allocations)
		}
	}
	return nil
}

func runBenchmarks(ctx context.Context, folder string, into map[string][]cost) error {
	command := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^Benchmark(PaymentCallback|UnifiedOrder|Reply)$", "-benchmem", "-benchtime=300ms", "-cpu=1", ".")
	command.Dir = folder
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -bench in %s: %w\n%s", folder, err, output)
	}
	lines := benchfmt.NewReader(bytes.NewReader(output), folder)
	for lines.Scan() {
		result, ok := lines.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		seconds, _ := result.Value("sec/op")
		allocations, _ := result.Value("allocs/op")
		name := strings.TrimPrefix(result.Name.String(), "Benchmark")
		into[name] = append(into[name], cost{seconds * 1e9, allocations})
	}
	return lines.Err()
}

func medianCost(costs []cost) cost {
	var m cost
	for _, part := range []struct {
		of func(cost) float64
		to *float64
	}{
		{func(c cost) float64 { return c.nanoseconds }, &m.nanoseconds},
		{func(c cost) float64 { return c.allocations }, &m.allocations},
	} {
		var values []float64
		for _, c := range costs {
			values = append(values, part.of(c))
		}
		slices.Sort(values)
		*part.to = values[len(values)/2]
	}
	return m
}
