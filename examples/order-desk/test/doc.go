// Package test runs the order desk as a process: it is killed, its printer is away, and it is told of
// payments by the real operator.
package test
