// Package claims decides which of several objects owns a number at WeChat Pay. A number is one order, or one refund, of an
// account for ever, while any number of objects in the cluster may name it: under other names, in other namespaces, applied
// again after a restore. One payment must make one Order Paid, and one payout one Refund Succeeded, so this is asked before
// the first call and again before either is recorded, by callback and by query alike.
//
// Only who is permitted takes part: an Order that its Merchant grants, or that began under a grant, with its Refunds. Of those
// of one account the owner is who has recorded what WeChat did, else who has begun, else the oldest. Every replica comes to
// the same answer by itself, because it follows from what is stored.
package claims
