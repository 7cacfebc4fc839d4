// Package controllers holds one reconciler a kind. A reconcile is a list of steps that run in order until one says that
// nothing more can be done now; a step decides with the pure functions of internal/lifecycle and calls WeChat through the
// Gateway that internal/account hands out.
//
// Every call to WeChat may be repeated by any replica at any time, because its number and parameters follow from the
// immutable spec alone. So there is no lock and no write before a call, and a conflict is only a reason to look again.
package controllers
