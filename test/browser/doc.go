// Package browser tests the simulator's cashier in a real Chromium, and test/browser/console the console. It is a
// module of its own, so that the operator's go.mod has nothing that drives a browser.
//
// Without Chromium the tests are skipped, but not in CI. CHROMIUM names the binary if it is not in PATH.
package browser
