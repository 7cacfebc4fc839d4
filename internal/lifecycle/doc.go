// Package lifecycle holds the state of money: pure functions from a spec, a status and a fact of WeChat's to the next
// status. Nothing in here reads a clock, a cache or the network; reconcilers and the callback server use the same functions,
// so that a payment means the same whichever way it became known.
package lifecycle
