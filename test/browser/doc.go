// Package browser tests the simulator's cashier in a real Chromium. It is a module of its own, so that the operator's go.mod has
// nothing that drives a browser.
//
// Without Chromium the tests are skipped, but not in CI. CHROMIUM names the binary if it is not in PATH.
package browser
