// Package transport sends the calls of every protocol: HTTP clients, time limits, the repetition of
// a call on the backup host, and what a failure to reach WeChat means. It knows no message.
package transport
