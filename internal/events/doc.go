// Package events tells EventSinks what happened to the Orders, Refunds, Shipments and Statements in their
// namespace.
//
// The objects are the outbox: an event follows from the status of its object, and from nothing
// else. How far a sink is stands in its status as one time, which is written every few seconds and
// not for each event. After a restart every event is sent again whose fact was recorded since that
// time. So an event is delivered at least once, and no Order costs a write more.
//
// A Dispatcher follows the objects in the cache, and has a queue and a few workers for each sink.
// Nothing that concerns a payment waits for it.
package events
