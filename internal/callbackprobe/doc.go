// Package callbackprobe is the language in which the operator asks itself whether callbacks arrive. The leader posts a probe to the
// address that WeChat is given; whichever replica it reaches answers. Nothing here does I/O, and the time is an argument.
//
// A probe looks like a callback to everything on the way (a POST of text/xml with CDATA), so that it goes the way of one, and can't
// be taken for one by any replica: its root element is another, it has no sign, and its code is made with a key of its own, which is
// derived from the API key that every replica reads anyway. So neither a probe nor its answer is of any use at WeChat, and nothing
// that WeChat signed is of any use here.
//
// The answer proves that somebody who has the Merchant's key got this very probe, and tells the checksum of the body that arrived:
// what is changed on the way shows, as it would break the signature of a callback. Neither side writes or remembers anything, so
// that a probe that is sent again does no harm.
package callbackprobe
