// Package interop tests the WeChat Pay simulator with a client that was written by other people for the real
// WeChat Pay, and measures what the same work costs there. It is a module of its own, so that nobody else depends on
// that client.
package interop
