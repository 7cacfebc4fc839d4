// Package controllers has one reconciler per kind. A reconcile is a list of steps that run in order
// until one stops it. A step decides with the pure functions of internal/lifecycle and calls WeChat
// through the Account that internal/account returns.
//
// Any replica may repeat any call to WeChat at any time, because its number and parameters depend
// on the immutable spec only. So no lock or write is needed before a call, and a conflict only
// leads to another reconcile.
package controllers
