// Package controllers has one reconciler per kind, and three for work that follows from others:
// test callbacks, daily Statements and Shipments of virtual goods. A reconcile is a list of steps
// that run in order until one stops it. A step decides with the pure functions of
// internal/lifecycle and calls WeChat through the Account that internal/account returns.
//
// Any replica may repeat any call to WeChat at any time, because its number and parameters follow
// from the immutable spec. So a lost write before a call can't lead to a second payment: the
// finalizer is added before the first call only to keep the object until its order is closed, and a
// conflict only leads to another reconcile.
package controllers
