// Package chaos has only a test: it runs the reconcilers and the callback handler on a real API server and a simulated
// WeChat Pay, cuts them at every effect they have on either, in every way that a step can go wrong, lets a fresh process go
// on, and compares what became of it with the simulator's ledger. After each cut it may cut once more, at a later step of that
// run: the recovery has steps of its own.
//
// Everything in a run happens one thing after the other, on a clock that is moved by hand, with UIDs and times of creation
// that are the same in each run. So the k-th effect of a flow is the same effect every time, and a violation can be seen
// again by the line that is printed with it.
package chaos
