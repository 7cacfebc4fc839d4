// Package console serves the page for the shop's staff, and passes the requests of that page on to the API server.
//
// It has no rights of its own. A request is made with the token of who sent it: the one in the header Authorization, which an OIDC
// proxy in front sets, or the one that a person gave at login, which is kept sealed in a cookie. Without a token the answer is 401,
// since the API server would take such a request for an anonymous one.
//
// What the page needs is a short list of paths and verbs (rules.go). A request is taken apart by it and put together again, so that
// nothing else of what a browser sends reaches the API server: no other header, no other query, no other path.
package console
