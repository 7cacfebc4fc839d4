// Package claims decides which of several objects owns a number at WeChat Pay. A number identifies
// one order or one refund of an account forever, but any number of objects in the cluster may carry
// it: under other names, in other namespaces, re-applied after a restore. One payment must make
// only one Order Paid, and one payout only one Refund Succeeded. Both callbacks and queries
// therefore check the owner before the first call and again before they record a result.
//
// Only permitted objects participate: an Order that its Merchant permits, or that started while
// permitted, with its Refunds. Among the participants of an account, the owner is the one that
// recorded WeChat Pay's result, else the one that started, else the oldest. Every replica reaches
// the same decision independently, because it follows from stored state.
package claims
