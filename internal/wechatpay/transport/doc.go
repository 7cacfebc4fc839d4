// Package transport sends the calls of every protocol: HTTP clients, time limits, the repetition of
// a call on the backup host, what a failure to reach WeChat means, and which hosts have proven to
// be WeChat's: the failures of others are concealed. It knows no message format.
package transport
