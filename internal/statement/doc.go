// Package statement compares WeChat's bill of a Merchant's day with what the operator knows of it: the objects in the cluster, and
// what the ledger has of objects that are gone. It downloads and reads, and changes nothing.
//
// Held in memory are small records of the day's Orders and Refunds, never the objects or the bill: 200,000 rows take about 64 MiB.
// What comes from outside is bounded by Limits.
package statement
