// Package console serves the page for the shop's staff, and passes the requests of that page on to the API server.
//
// It has no rights of its own. It makes each request with the caller's token: the one in the header Authorization,
// which an OIDC proxy in front sets, or the one that the user entered at login, which is stored encrypted in a cookie.
// Without a token it answers 401, because the API server would treat such a request as anonymous.
//
// rules.go lists the paths and verbs that the page needs. The console parses each request by this list and builds a new
// one, so no other path, query parameter or header from a browser reaches the API server.
package console
