// Package webhookserver receives WeChat's callbacks. It runs on every replica, not only on the
// leader, and handles a callback completely: it confirms a callback only after the API server has
// stored the fact, or if it was stored already.
//
// A callback passes these limits, in this order: connectionLimiter (open connections), maxBody
// (bytes), tenantShares (callbacks in progress, by namespace), parseSemaphores (CPU, namespaces in
// turn), and limitedReader for lookups in the API server (by Merchant and namespace). A payment
// then waits for a slot of keyedSemaphore to be stored. A refund that is queried shares its query
// (refundQueries), and needs a token of buckets and a slot of keyedSemaphore.
package webhookserver
