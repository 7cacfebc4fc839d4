// Package transport sends the calls of every protocol: HTTP clients, time limits, the repetition of
// a call on the backup host, what a failure to reach WeChat means, and which hosts have proven to be
// WeChat's, so that it is told. It knows no message.
package transport
