// Package webhookserver receives WeChat's callbacks. It runs on every replica, not only on the leader, and settles a callback
// by itself: WeChat is answered SUCCESS only after the API server has stored the fact, or had it stored already.
package webhookserver
