// Package ledger writes what happened at WeChat Pay into a PostgreSQL database, so that it outlives
// the objects in the cluster. docs/ledger.md describes the tables, which are made to be queried.
//
// The objects are the truth: a row is made of an object's status and can be made again at any time.
// So rows are written at least once, and a row that is written again, by a new leader or by an old
// one that does not know yet that it is not the leader any more, changes nothing that is newer.
package ledger
