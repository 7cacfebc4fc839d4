// Package lifecycle computes the status of Orders and Refunds: pure functions from a spec, a status
// and a fact stated by WeChat Pay to the next status. No function reads a clock, a cache or the
// network. Reconcilers and the callback server call the same functions, so a payment has the same
// result on either path.
package lifecycle
