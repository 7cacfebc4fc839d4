package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// beijing is the time zone of the protocol. It has no daylight saving time, so no zone database is
// needed.
var beijing = time.FixedZone("UTC+8", 8*60*60)

const (
	compactTime  = "20060102150405"
	readableTime = "2006-01-02 15:04:05"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func randomBytes(n int) []byte {
	random := make([]byte, n)
	_, _ = rand.Read(random) // crypto/rand never fails
	return random
}

// randomText returns n random letters and digits.
func randomText(n int) string {
	random := randomBytes(n)
	for i, b := range random {
		random[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(random)
}

func newNonce() string { return randomText(32) }

func randomHex(n int) string {
	return hex.EncodeToString(randomBytes(n))
}

func randomDigits(n int) string {
	random := randomBytes(n)
	for i, b := range random {
		random[i] = '0' + b%10
	}
	return string(random)
}

// The formats of WeChat Pay's numbers: wx and the second for a prepay_id, 42 and the day for a
// payment, 50 and the day for a refund.

func newPrepayID(now time.Time) string {
	return "wx" + now.In(beijing).Format(compactTime) + randomHex(10)
}

func newTransactionID(now time.Time) string {
	return "42000" + randomDigits(5) + now.In(beijing).Format("20060102") + randomDigits(10)
}

func newRefundID(now time.Time) string {
	return "503" + randomDigits(8) + now.In(beijing).Format("20060102") + randomDigits(10)
}

// newEventID is the id of an API v3 notification: a UUID.
func newEventID() string {
	id := randomHex(16)
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

func newCodeURL() string { return "weixin://wxpay/bizpayurl?pr=" + randomText(9) }

// newMwebURL is at wx.tenpay.com, or at another base that serves checkMWEB.
func newMwebURL(base, prepayID string) string {
	return fmt.Sprintf("%s%s?prepay_id=%s&package=%s", base, checkMWEB, prepayID, randomDigits(10))
}
