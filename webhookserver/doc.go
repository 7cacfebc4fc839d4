// Package webhookserver receives WeChat's callbacks. It runs on every replica, not only on the
// leader, and handles a callback completely: it answers SUCCESS only after the API server has
// stored the fact, or if it was stored already.
package webhookserver
