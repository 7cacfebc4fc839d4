package v3

import (
	"crypto/x509"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// certificateOptions are those of a merchant without a public key.
func (s *server) certificateOptions(t testing.TB) Options {
	t.Helper()
	options := s.options(t)
	options.PublicKeys = nil
	return options
}

func closeTestOrder(t testing.TB, c *Client) error { return c.CloseOrder(t.Context(), testOrderRef) }

// TestCertificatesAreDownloadedBeforeTheFirstCall, once, and named newest first in requests.
func TestCertificatesAreDownloadedBeforeTheFirstCall(t *testing.T) {
	s := newServer(t, saysBy("platform_a", 204, ""))
	options := s.certificateOptions(t)
	var changes atomic.Int32
	options.Changed = func() { changes.Add(1) }
	c := newTestClient(t, options)
	for range 3 {
		if err := closeTestOrder(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if s.downloaded() != 1 {
		t.Errorf("downloaded %d times", s.downloaded())
	}
	for _, sent := range s.seen() {
		if got := sent.header.Get(headerSerial); got != testKeys()["platform_b"].serial {
			t.Errorf("asks for an answer signed by %s", got)
		}
	}
	want := []wechatpay.Verifier{
		{ID: testKeys()["platform_a"].serial, Type: wechatpay.VerifierCertificate, Fingerprint: fingerprintOf(&testKeys()["platform_a"].private.PublicKey), NotAfter: testKeys()["platform_a"].certificate.NotAfter, Proven: true},
		{ID: testKeys()["platform_b"].serial, Type: wechatpay.VerifierCertificate, Fingerprint: fingerprintOf(&testKeys()["platform_b"].private.PublicKey), NotAfter: testKeys()["platform_b"].certificate.NotAfter, Proven: true},
	}
	if diff := cmp.Diff(want, c.verifiers.list()); diff != "" {
		t.Errorf("verifiers (-want +got):\n%s", diff)
	}
	if changes.Load() != 1 {
		t.Errorf("%d changes", changes.Load())
	}
}

// TestAnUnknownSerialRefreshesOnce: the answer that came is verified with the new certificates.
func TestAnUnknownSerialRefreshesOnce(t *testing.T) {
	for name, publicKeys := range map[string]bool{"certificates": false, "public keys too": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, saysBy("platform_b", 204, ""))
			options := s.options(t)
			options.Certificates = wechatpay.NewPlatformCertificates()
			options.Certificates.Set([]*x509.Certificate{testKeys()["platform_a"].certificate}, testNow)
			if !publicKeys {
				options.PublicKeys = nil
			}
			c := newTestClient(t, options)
			for range 2 {
				if err := closeTestOrder(t, c); err != nil {
					t.Fatal(err)
				}
			}
			if s.downloaded() != 1 || len(s.seen()) != 2 {
				t.Errorf("%d downloads, %d calls", s.downloaded(), len(s.seen()))
			}
		})
	}
}

// TestAnUnknownSerialIsAskedAboutAtMostOnceAMinute however many answers and callbacks have it, and
// however many connections the account has.
func TestAnUnknownSerialIsAskedAboutAtMostOnceAMinute(t *testing.T) {
	s := newServer(t, saysBy("stranger", 204, ""))
	options := s.certificateOptions(t)
	options.Certificates = wechatpay.NewPlatformCertificates()
	c := newTestClient(t, options)
	for range 3 {
		expect(t, closeTestOrder(t, c), wechatpay.Unknown, wechatpay.NotVerified, "")
		expect(t, closeTestOrder(t, newTestClient(t, options)), wechatpay.Unknown, wechatpay.NotVerified, "")
	}
	_, err := receive(c, delivery(c, "stranger", paymentEvent(tradeBody("SUCCESS", nil))))
	expect(t, err, wechatpay.Refused, wechatpay.NotVerified, "")
	if s.downloaded() != 1 {
		t.Errorf("downloaded %d times", s.downloaded())
	}
	s.clock.step(time.Minute)
	expect(t, closeTestOrder(t, c), wechatpay.Unknown, wechatpay.NotVerified, "")
	if s.downloaded() != 2 {
		t.Errorf("downloaded %d times a minute later", s.downloaded())
	}
}

// TestManyUnknownSerialsAreOneDownload: who comes while it runs waits for it.
func TestManyUnknownSerialsAreOneDownload(t *testing.T) {
	const many = 8
	entered, release := make(chan struct{}), make(chan struct{})
	var arrived sync.WaitGroup
	arrived.Add(many)
	s := newServer(t, saysBy("platform_a", 204, ""))
	s.setDownloads(func(s *server, w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		lists("platform_a")(s, w, r)
	})
	c := newTestClient(t, s.certificateOptions(t))
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			arrived.Done()
			if err := closeTestOrder(t, c); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	arrived.Wait()
	close(release)
	all.Wait()
	if s.downloaded() != 1 {
		t.Errorf("downloaded %d times", s.downloaded())
	}
}

// TestOldCertificatesAreRefreshedInTheBackground, and kept when that fails.
func TestOldCertificatesAreRefreshedInTheBackground(t *testing.T) {
	s := newServer(t, saysBy("platform_a", 204, ""))
	asked := make(chan struct{}, 10)
	reply := inTurn(unsigned(500, ""), unsigned(500, ""), lists("platform_a", "platform_b"))
	s.setDownloads(func(s *server, w http.ResponseWriter, r *http.Request) {
		reply(s, w, r)
		asked <- struct{}{}
	})
	options := s.certificateOptions(t)
	changed := make(chan struct{}, 10)
	options.Changed = func() { changed <- struct{}{} }
	options.Certificates = wechatpay.NewPlatformCertificates()
	options.Certificates.Set([]*x509.Certificate{testKeys()["platform_a"].certificate}, testNow)
	c := newTestClient(t, options)
	s.clock.step(refreshAfter - time.Second)
	if err := closeTestOrder(t, c); err != nil || s.downloaded() != 0 {
		t.Fatalf("%v, %d downloads", err, s.downloaded())
	}
	s.clock.step(time.Second)
	if err := closeTestOrder(t, c); err != nil {
		t.Fatal(err)
	}
	<-asked
	<-asked // the backup host
	if got := len(c.verifiers.list()); got != 1 {
		t.Fatalf("%d verifiers after a failure", got)
	}
	<-c.startDownload() // waits for the one that has failed
	s.clock.step(time.Minute)
	if err := closeTestOrder(t, c); err != nil {
		t.Fatal(err)
	}
	<-changed
	if got := len(c.verifiers.list()); got != 2 {
		t.Errorf("%d verifiers after a success", got)
	}
}

// TestWithAPublicKeyCertificatesAreNotRefreshed.
func TestWithAPublicKeyCertificatesAreNotRefreshed(t *testing.T) {
	s := newServer(t, done(wechatpay.OperationCloseOrder))
	options := s.options(t)
	options.Certificates = wechatpay.NewPlatformCertificates()
	options.Certificates.Set([]*x509.Certificate{testKeys()["platform_a"].certificate}, testNow.Add(-100*refreshAfter))
	if err := closeTestOrder(t, newTestClient(t, options)); err != nil || s.downloaded() != 0 {
		t.Errorf("%v, %d downloads", err, s.downloaded())
	}
}

// TestAnExpiredCertificateVerifiesNothing.
func TestAnExpiredCertificateVerifiesNothing(t *testing.T) {
	certificate := testKeys()["platform_a"].certificate
	one := []*x509.Certificate{certificate}
	serial := testKeys()["platform_a"].serial
	if findCertificate(one, serial, certificate.NotAfter.Add(clockTolerance-time.Second)) == nil {
		t.Error("within the tolerance of clocks it does")
	}
	if findCertificate(one, serial, certificate.NotAfter.Add(clockTolerance)) != nil {
		t.Error("it does")
	}
}

// TestListsThatAreNotTaken: without any verifier the call is not sent, and the reason is that of the
// list.
func TestListsThatAreNotTaken(t *testing.T) {
	other := func(change func(*certificateList)) answer {
		var list certificateList
		if err := readJSON([]byte(listOf(testKey, "platform_a")), &list); err != nil {
			t.Fatal(err)
		}
		change(&list)
		return saysBy("platform_a", 200, jsonOf(list2(list)))
	}
	for name, c := range map[string]struct {
		answer  answer
		meaning wechatpay.Meaning
		text    string
	}{
		"none": {fails(404, "RESOURCE_NOT_EXISTS"), wechatpay.VerifiersMissing, ""},
		"none, unsigned": {unsigned(404, errorBody("RESOURCE_NOT_EXISTS", "无可用的平台证书")), wechatpay.VerifiersMissing,
			"CloseOrder: without WeChat Pay's certificates no answer can be verified: GetCertificates: WeChat Pay has no certificates for this merchant number: " +
				"apply for a WeChat Pay public key in the merchant platform (账户中心 → API安全) and enter it in publicKeys"},
		"another key": {saysBy("platform_a", 200, listOf(testOtherKey, "platform_a")), wechatpay.KeyMismatch,
			"CloseOrder: without WeChat Pay's certificates no answer can be verified: GetCertificates: what WeChat Pay encrypted can't be opened with the APIv3 key"},
		"the credentials":           {unsigned(401, errorBody("SIGN_ERROR", "签名错误")), wechatpay.CredentialsRejected, ""},
		"unsigned":                  {unsigned(200, listOf(testKey, "platform_a")), wechatpay.NotVerified, ""},
		"signed by another":         {saysBy("platform_b", 200, listOf(testKey, "platform_a")), wechatpay.NotVerified, ""},
		"signed wrong":              {forged(200, listOf(testKey, "platform_a"), func(h http.Header) { h.Set(headerSerial, testKeys()["platform_a"].serial) }), wechatpay.NotVerified, ""},
		"signed by an unlisted key": {saysBy("wechatpay_pub", 200, listOf(testKey, "platform_a")), wechatpay.NotVerified, ""},
		"old":                       {forged(200, listOf(testKey, "platform_a"), signedAt(-5*time.Minute)), wechatpay.NeedsAttention, ""},
		"not JSON":                  {saysBy("platform_a", 200, "{"), wechatpay.NeedsAttention, ""},
		"another serial":            {other(func(l *certificateList) { l.Data[0].SerialNo = "00" }), wechatpay.NeedsAttention, ""},
		"another algorithm":         {other(func(l *certificateList) { l.Data[0].EncryptCertificate.Algorithm = "AEAD_SM4_GCM" }), wechatpay.NeedsAttention, ""},
		"a nonce of 13 bytes":       {other(func(l *certificateList) { l.Data[0].EncryptCertificate.Nonce += "x" }), wechatpay.NeedsAttention, ""},
		"too many":                  {saysBy("platform_a", 200, listOf(testKey, repeated("platform_a", maxCertificates+1)...)), wechatpay.NeedsAttention, ""},
		"slow down":                 {unsigned(429, errorBody("FREQUENCY_LIMITED", "x")), wechatpay.SlowDown, ""},
		"broken":                    {hangsUp, wechatpay.Repeat, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, saysBy("platform_a", 204, ""))
			s.setDownloads(c.answer)
			client := newTestClient(t, s.certificateOptions(t))
			for range 2 {
				expect(t, closeTestOrder(t, client), wechatpay.NotSent, c.meaning, c.text)
			}
			if len(s.seen()) != 0 || len(client.verifiers.list()) != 0 {
				t.Errorf("%d calls, %d verifiers", len(s.seen()), len(client.verifiers.list()))
			}
		})
	}
}

// TestANewConnectionWaitsForItsTurn: the interval belongs to the account.
func TestANewConnectionWaitsForItsTurn(t *testing.T) {
	s := newServer(t, saysBy("platform_a", 204, ""))
	s.setDownloads(unsigned(500, ""))
	options := s.certificateOptions(t)
	options.Certificates = wechatpay.NewPlatformCertificates()
	expect(t, closeTestOrder(t, newTestClient(t, options)), wechatpay.NotSent, wechatpay.Repeat, "")
	s.setDownloads(lists("platform_a"))
	c := newTestClient(t, options)
	err := closeTestOrder(t, c)
	expect(t, err, wechatpay.NotSent, wechatpay.Repeat, "CloseOrder: without WeChat Pay's certificates no answer can be verified: "+
		"GetCertificates: WeChat Pay's certificates were downloaded, or asked for, less than a minute ago")
	if got := wechatpay.RetryAfter(err); got != time.Minute {
		t.Errorf("to be repeated after %v", got)
	}
	s.clock.step(time.Minute)
	if err := closeTestOrder(t, c); err != nil {
		t.Error(err)
	}
}

// TestADownloadStopsForAnExpiredMerchantCertificate: callbacks go on with what is there.
func TestADownloadStopsForAnExpiredMerchantCertificate(t *testing.T) {
	s := newServer(t, saysBy("platform_a", 204, ""))
	s.clock.step(24*366*24*time.Hour + 300*24*time.Hour)
	c := newTestClient(t, s.certificateOptions(t))
	_, err := receive(c, delivery(c, "platform_a", paymentEvent(tradeBody("SUCCESS", nil))))
	expect(t, err, wechatpay.Refused, wechatpay.NotVerified, "payment callback: it is signed with a certificate that is not among WeChat Pay's for this merchant number; "+
		"GetCertificates: the merchant's certificate has expired")
	if s.downloaded() != 0 {
		t.Error("asked for certificates")
	}
}

// list2 writes a list with the names of its members.
func list2(list certificateList) map[string]any {
	var data []map[string]any
	for _, entry := range list.Data {
		sealed := entry.EncryptCertificate
		data = append(data, map[string]any{"serial_no": entry.SerialNo, "encrypt_certificate": map[string]string{
			"algorithm": sealed.Algorithm, "nonce": sealed.Nonce, "associated_data": sealed.AssociatedData, "ciphertext": sealed.Ciphertext,
		}})
	}
	return map[string]any{"data": data}
}

func repeated(name string, times int) []string {
	names := make([]string, times)
	for i := range names {
		names[i] = name
	}
	return names
}

// TestAListIsOpenedWithThePreviousKeyToo: the key is changed at WeChat and here at two times.
func TestAListIsOpenedWithThePreviousKeyToo(t *testing.T) {
	s := newServer(t, saysBy("platform_a", 204, ""))
	s.setDownloads(saysBy("platform_a", 200, listOf(testOtherKey, "platform_a")))
	options := s.certificateOptions(t)
	options.PreviousKey = testOtherKey
	if err := closeTestOrder(t, newTestClient(t, options)); err != nil {
		t.Error(err)
	}
}

// TestWhyAnAnswerCannotBeVerifiedIsTold: with a public key only the unknown serial leads to a list,
// and what is wrong with it is the reason. The code of an error counts for nothing then.
func TestWhyAnAnswerCannotBeVerifiedIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		list    answer
		meaning wechatpay.Meaning
	}{
		"none":        {unsigned(404, errorBody("RESOURCE_NOT_EXISTS", "x")), wechatpay.VerifiersMissing},
		"another key": {saysBy("platform_a", 200, listOf(testOtherKey, "platform_a")), wechatpay.KeyMismatch},
	} {
		s := newServer(t, saysBy("platform_a", 204, ""))
		s.setDownloads(c.list)
		expect(t, closeTestOrder(t, s.client(t)), wechatpay.Unknown, c.meaning, "")
		s = newServer(t, saysBy("platform_a", 404, errorBody("ORDER_NOT_EXIST", "x")))
		s.setDownloads(c.list)
		err := closeTestOrder(t, s.client(t))
		expect(t, err, wechatpay.Refused, c.meaning, "")
		if got := len(s.seen()); got != 1 {
			t.Errorf("%s: asked %d times", name, got)
		}
	}
}

func TestAPublicKeyIsProvenByAnAnswer(t *testing.T) {
	s := newServer(t, inTurn(unsigned(404, errorBody("ORDER_NOT_EXIST", "x")), fails(404, "ORDER_NOT_EXIST"), done(wechatpay.OperationCloseOrder)))
	options := s.options(t)
	var changes atomic.Int32
	options.Changed = func() { changes.Add(1) }
	c := newTestClient(t, options)
	for i, want := range []bool{false, true, true} {
		_ = closeTestOrder(t, c)
		if got := c.verifiers.list()[0]; got.Proven != want || got.Type != wechatpay.VerifierPublicKey {
			t.Errorf("after %d: %+v", i, got)
		}
	}
	if changes.Load() != 1 {
		t.Errorf("%d changes", changes.Load())
	}
	// A callback proves nothing: anybody can repeat one.
	c = newTestClient(t, testOptions())
	if _, err := receive(c, delivery(c, "wechatpay_pub", paymentEvent(tradeBody("SUCCESS", nil)))); err != nil {
		t.Fatal(err)
	}
	if c.verifiers.list()[0].Proven {
		t.Error("a callback proves a key")
	}
}

func TestClockSkew(t *testing.T) {
	var ahead atomic.Int64
	s := newServer(t, func(s *server, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.clock.Now().Add(-time.Duration(ahead.Load())).UTC().Format(http.TimeFormat))
		unsigned(401, errorBody("SIGN_ERROR", "x"))(s, w, r)
	})
	options := s.options(t)
	changes := 0
	options.Changed = func() { changes++ }
	c := newTestClient(t, options)
	for i, step := range []struct {
		ahead   time.Duration
		changes int
	}{{0, 0}, {4 * time.Minute, 0}, {241 * time.Second, 1}, {10 * time.Minute, 1}, {time.Minute, 2}, {-5 * time.Minute, 3}, {0, 4}} {
		ahead.Store(int64(step.ahead))
		_ = closeTestOrder(t, c)
		if got := c.skew.get(); got != step.ahead || changes != step.changes {
			t.Errorf("%d: %v and %d changes, not %v and %d", i, got, changes, step.ahead, step.changes)
		}
	}
	c.skew.record("yesterday", testNow)
	if got := c.skew.get(); got != 0 {
		t.Errorf("a Date that is none makes %v", got)
	}
}
