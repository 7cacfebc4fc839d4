// Package console tests the console in a real Chromium, against a real kube-apiserver with the roles and policies that
// are shipped.
//
// TestManyOrders measures: CONSOLE_ORDERS says with how many Orders. TestPictures takes the pictures of the documents,
// and writes them if UPDATE_PICTURES is set; `make console-pictures` does so.
package console
