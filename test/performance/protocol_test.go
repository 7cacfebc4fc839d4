package performance

import "slices"

// protocolRounds is how often each side is measured, in turns.
const protocolRounds = 15

// step is something that a client of API v3 does, and the names of its benchmarks.
type step struct{ name, benchmark, rsa, withoutRSA, what string }

var protocolSteps = []step{
	{"callback", "PaymentCallback", "RSA/verify", "", "to read, verify, decrypt and parse a payment callback"},
	{"prepay", "PrepayRequest", "RSA/sign", "PrepayWithoutRSA", "to check, write and sign a prepay request"},
	{"answer", "Reply", "RSA/verify", "", "to read, verify and parse the answer to a query"},
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
			measured.add(side.run("^Benchmark(V3)?(PaymentCallback|Reply|PrepayWithoutRSA|RSA)$/^(ours|gopay|wechatpay-go|verify)$", "2500x"))
			measured.add(side.run("^Benchmark(V3)?(PrepayRequest|RSA)$/^(ours|gopay|wechatpay-go|sign)$", "120x"))
		}
	}
	for _, is := range protocolSteps {
		b.part(is.name, func(b *bench) { b.addStep(measured, is) })
	}
}

// addStep takes the figures of a step.
func (b *bench) addStep(measured samples, is step) {
	ours, alone := measured.median(is.benchmark+"/ours", cpuTime), measured.median(is.rsa, cpuTime)
	made := measured.median(is.benchmark+"/ours", allocations)
	b.add("ours", ours/1000, "us", "of CPU %s", is.what)
	b.add("rsa", alone/1000, "us", "of CPU for %s alone", is.rsa)
	b.add("per-core", 1e9/ours, "1/s", "on one core that does nothing else; of RSA alone %.0f", 1e9/alone)
	var times, rests, counts []float64
	for _, other := range otherClients {
		took := measured.median(is.benchmark+"/"+other, cpuTime)
		b.add(other, took/1000, "us", "of CPU for the same by %s", other)
		times, rests = append(times, took), append(rests, measured.rest(is, other))
		counts = append(counts, measured.median(is.benchmark+"/"+other, allocations))
	}
	b.add("ratio", ours/slices.Min(times), "x", "of the faster one's time")
	b.add("without-rsa", slices.Min(rests)/measured.rest(is, "ours"), "x",
		"as fast as the faster one, RSA left out: %.3g us, of the others %.3g", measured.rest(is, "ours")/1000, inMicroseconds(rests))
	b.add("allocations", made/slices.Min(counts), "x", "of the fewer allocations: %.0f, of the others %.0f", made, counts)
}

// rest is what a step takes without RSA: measured with a signature that is made already, or by the
// difference to the operation alone, which is measured in the same rounds.
func (s samples) rest(of step, client string) float64 {
	if of.withoutRSA != "" {
		return s.median(of.withoutRSA+"/"+client, cpuTime)
	}
	return s.median(of.benchmark+"/"+client, cpuTime) - s.median(of.rsa, cpuTime)
}

func inMicroseconds(nanoseconds []float64) (converted []float64) {
	for _, value := range nanoseconds {
		converted = append(converted, value/1000)
	}
	return converted
}
