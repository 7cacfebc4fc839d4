// Package callbackprobe defines the messages with which the operator checks that callbacks reach
// it. The leader posts a probe to the callback URL that WeChat Pay gets; whichever replica receives
// it answers. The package does no I/O, and the time is an argument.
//
// A probe looks like a callback to every proxy on the path (a POST of text/xml with CDATA), so that
// it is routed like one. No replica can mistake it for a callback: it has a different root element
// and no sign, and its code is made with a separate key, which is derived from the API key that
// every replica reads anyway. WeChat Pay accepts neither a probe nor its answer, and nothing that
// WeChat Pay signed is a valid probe.
//
// The answer proves that a holder of the Merchant's key received this probe, and contains the
// checksum of the received body: a modification on the path, which would break the signature of a
// callback, is detected. Neither side stores anything, so a replayed probe does no harm.
package callbackprobe
