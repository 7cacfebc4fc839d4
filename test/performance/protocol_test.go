package performance

import (
	"slices"
)

// protocolRounds is how often each side is measured, in turns.
const protocolRounds = 11

// protocolSteps are what API v3 does, with the operation of RSA that each holds.
var protocolSteps = []struct{ name, benchmark, rsa, what string }{
	{"callback", "PaymentCallback", "RSA/verify", "a payment callback: read, verified, decrypted, parsed"},
	{"prepay", "PrepayRequest", "RSA/sign", "a prepay request: checked, written, signed"},
	{"answer", "Reply", "RSA/verify", "the answer to a query: read, verified, parsed"},
}

// otherClients are those of test/interop.
var otherClients = []string{"gopay", "wechatpay-go"}

// measureProtocol compares what the messages of API v3 cost with other clients, by benchmarks of the
// same names. Ours and theirs take turns.
func measureProtocol(b *bench) {
	sides := []benchmarks{b.compile("internal/wechatpay/v3"), b.compile("test/interop")}
	measured := samples{}
	for range protocolRounds {
		for _, side := range sides {
			// A signature takes thirty times as long as a verification.
			measured.add(side.run("^Benchmark(V3)?(PaymentCallback|Reply|RSA)$/^(ours|gopay|wechatpay-go|verify)$", "2500x"))
			measured.add(side.run("^Benchmark(V3)?(PrepayRequest|RSA)$/^(ours|gopay|wechatpay-go|sign)$", "120x"))
		}
	}
	for _, step := range protocolSteps {
		b.part(step.name, func(b *bench) { b.addStep(measured, step.benchmark, step.rsa, step.what) })
	}
}

// addStep takes the figures of a step. RSA is measured alone in the same rounds; what is left of a
// step without it is the difference of the medians.
func (b *bench) addStep(measured samples, benchmark, rsa, what string) {
	took, alone := measured.median(benchmark+"/ours", cpuTime), measured.median(rsa, cpuTime)
	made := measured.median(benchmark+"/ours", allocations)
	b.add("ours", took/1000, "us", "of CPU for %s", what)
	b.add("rsa", alone/1000, "us", "of it are %s alone", rsa)
	b.add("per-core", 1e9/took, "1/s", "on one core that does nothing else; RSA alone %.0f", 1e9/alone)
	var times, counts []float64
	for _, other := range otherClients {
		times = append(times, measured.median(benchmark+"/"+other, cpuTime))
		counts = append(counts, measured.median(benchmark+"/"+other, allocations))
		b.add(other, times[len(times)-1]/1000, "us", "of CPU for the same by %s", other)
	}
	b.add("ratio", took/slices.Min(times), "x", "of the time of the faster one")
	b.add("without-rsa", (slices.Min(times)-alone)/(took-alone), "x", "as fast as the faster one, RSA's time taken off both")
	b.add("allocations", made/slices.Min(counts), "x", "of the fewer allocations: %.0f, of the others %.0f", made, counts)
}
