// Package chaos contains only tests. They run the reconcilers and the callback handler against a
// real API server and a simulated WeChat Pay, cut them at every effect on either, in every way that
// a step can fail, continue with a new process, and compare the result with the simulator's ledger.
// After each cut they may cut once more, at a later step of that run, because the recovery has
// steps of its own.
//
// Everything in a run happens sequentially, with a clock that the test advances, and with UIDs and
// creation times that are the same in each run. So the k-th effect of a flow is always the same
// effect, and a violation can be reproduced with the line printed with it.
package chaos
