// Package ledger writes what happened at WeChat Pay into a PostgreSQL database, which keeps it after the objects in the
// cluster are deleted. docs/ledger.md describes the tables, which users may query.
//
// A row is derived from the object's status and can be written again at any time. So rows are written at least once. A
// former leader that writes a row again does not overwrite a newer version.
package ledger
