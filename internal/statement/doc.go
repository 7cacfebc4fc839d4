// Package statement compares WeChat's bill of a Merchant's day with the operator's records: the objects in the cluster,
// and the ledger's rows of objects that are gone. It downloads and reads, and changes nothing.
//
// It holds small records of the day's Orders and Refunds in memory, never the objects or the bill: 200,000 rows take
// about 64 MiB. Limits bounds what a bill may contain.
package statement
