package v2

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The merchant in the tests.
const (
	testMchID       = "1900000109"
	testAppID       = "wx8888888888888888"
	testKey         = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
	testPreviousKey = "192006250b4c09247ec02edce69f6a2d"
	testOtherKey    = "LeadingZeroMd5Key000000000000692"
)

func testOptions() Options {
	return Options{wechatpay.Settings{MchID: testMchID, Scheme: HMACSHA256}, wechatpay.Secrets{Key: testKey}}
}

func newTestClient(t testing.TB, options Options) *Client {
	t.Helper()
	c, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// rotating returns a client during a key rotation, without a server.
func rotating(t testing.TB) *Client {
	options := testOptions()
	options.PreviousKey = testPreviousKey
	return newTestClient(t, options)
}

func beijingTime(t testing.TB, text string) time.Time {
	t.Helper()
	read, err := time.Parse(time.RFC3339, text+"+08:00")
	if err != nil {
		t.Fatal(err)
	}
	return read
}
