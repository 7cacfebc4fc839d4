// Package events sends events about the Orders, Refunds, Shipments and Statements of a namespace to its EventSinks.
//
// The objects are the outbox: an event is derived from the status of its object only. The status of a sink has one
// time: every event recorded before it was delivered or given up. It is written every few seconds, not for each event.
// After a restart, every event recorded since that time is sent again. So an event is delivered at least once, and
// events cause no additional writes of Orders.
//
// A Dispatcher watches the objects through the cache, and has a queue and a few workers for each sink. Payments do not
// wait for it.
package events
