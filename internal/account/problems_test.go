package account_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	corev1 "k8s.io/api/core/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// unusable are the parts of the message for an entry that holds no key. The message is always the
// same: what is wrong with the entry is only for users who may read the Secret.
func unusable(entry string) []string {
	return []string{"The entry \"" + entry + "\" of Secret ", "/" + keyName + " can't be used as an API key (APIv2 密钥): it must be there and have exactly 32 letters and digits, " +
		"as in the merchant platform (账户中心 → API安全). Users who may read the Secret can find the cause: docs/rotate-credentials.md"}
}

// inUTF16 returns a text as PowerShell writes it.
func inUTF16(text string) string {
	written := "\xFF\xFE"
	for _, unit := range utf16.Encode([]rune(text)) {
		written += string([]byte{byte(unit), byte(unit >> 8)})
	}
	return written
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data   map[string]string
		entry  string
		reason string
		says   []string
	}{
		"missing Secret":       {nil, "", v1alpha1.ReasonSecretNotFound, []string{keyName, "the API key", "does not exist", "create it", "spec.apiKeySecretRef"}},
		"missing entry":        {map[string]string{"key": key1}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"missing named entry":  {map[string]string{"apiKey": key1}, "v2", v1alpha1.ReasonInvalidAPIKey, unusable("v2")},
		"empty":                {map[string]string{"apiKey": ""}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"too short":            {map[string]string{"apiKey": key1[1:]}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"too long":             {map[string]string{"apiKey": key1 + "0"}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"other characters":     {map[string]string{"apiKey": key1[1:] + "!"}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"space within":         {map[string]string{"apiKey": key1[:16] + " " + key1[17:]}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"twice, by line":       {map[string]string{"apiKey": key1 + "\n" + key1}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"base64 twice":         {map[string]string{"apiKey": "Rmlyc3RUZXN0T25seUtleTBGaXJzdFRlc3RPbmx5MDA="}, "", v1alpha1.ReasonInvalidAPIKey, unusable("apiKey")},
		"wrong previous":       {map[string]string{"apiKey": key1, "apiKey.previous": key2[1:]}, "", v1alpha1.ReasonInvalidAPIKey, []string{`"apiKey.previous"`, "remove it when the rotation is over"}},
		"wrong named previous": {map[string]string{"v2": key1, "v2.previous": "x"}, "v2", v1alpha1.ReasonInvalidAPIKey, []string{`"v2.previous"`}},

		"right, UTF-8 with mark": {map[string]string{"apiKey": "\uFEFF" + key1 + "\n"}, "", "", nil},
		"right, UTF-16":          {map[string]string{"apiKey": inUTF16(key1 + "\r\n")}, "", "", nil},
		"right":                  {map[string]string{"apiKey": key1}, "", "", nil},
		"right, line feed":       {map[string]string{"apiKey": key1 + "\n"}, "", "", nil},
		"right, CRLF":            {map[string]string{"apiKey": key1 + "\r\n"}, "", "", nil},
		"right, by its name":     {map[string]string{"v2": key1}, "v2", "", nil},
		"right, with previous":   {map[string]string{"apiKey": key1, "apiKey.previous": key2 + "\n"}, "", "", nil},
		"previous is over":       {map[string]string{"apiKey": key1, "apiKey.previous": ""}, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, data := newFixture(t), map[string][]byte{}
			for entry, content := range test.data {
				data[entry] = []byte(content)
			}
			if test.data != nil {
				p.store(keyName, data)
			}
			m := p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.APIKeySecretRef.Key = test.entry })
			if test.reason == "" {
				p.get(m)
				return
			}
			found := p.problem(m)
			if found.Reason != test.reason {
				t.Errorf("reason %s, want %s", found.Reason, test.reason)
			}
			for _, word := range append(test.says, p.namespace) {
				if !strings.Contains(found.Message, word) {
					t.Errorf("%q does not say %q", found.Message, word)
				}
			}
			wantNoSecret(t, found.Message+found.Error()+fmt.Sprintf("%+v", *found), data)
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	good, other := validPair(t), validPair(t)
	expired := newPair(t, start.AddDate(-5, 0, 0), start.AddDate(0, 0, -1))
	early := newPair(t, start.AddDate(0, 0, 1), start.AddDate(5, 0, 0))
	entries := func(certificate, key []byte) map[string][]byte {
		return map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key}
	}
	stops := "Refunds stop until then, Orders do not"
	none := []string{certName + " can't be used as the API certificate of merchant number " + mchID + ": tls.crt must be apiclient_cert.pem and tls.key apiclient_key.pem of the merchant platform " +
		"(账户中心 → API安全 → API证书), as `kubectl create secret tls` makes it. Users who may read the Secret can find the cause: docs/rotate-credentials.md", stops}
	foreign := newPairOf(t, "pay.example.com", start.AddDate(-1, 0, 0), start.AddDate(4, 0, 0))
	pkcs12 := []byte("\x30\x82\x0A\x5B\x02\x01\x03\x30\x82\x0A\x21")
	for name, test := range map[string]struct {
		data   map[string][]byte
		reason string
		says   []string
		known  bool
	}{
		"missing Secret":        {nil, v1alpha1.ReasonSecretNotFound, []string{certName, "the client certificate", "create it", "spec.certificateSecretRef", stops}, false},
		"no certificate":        {entries(nil, good.key), v1alpha1.ReasonInvalidCertificate, none, false},
		"nothing in it":         {entries(nil, nil), v1alpha1.ReasonInvalidCertificate, none, false},
		"certificate no PEM":    {entries([]byte("no PEM at all"), good.key), v1alpha1.ReasonInvalidCertificate, none, false},
		"certificate of waste":  {entries([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good.key), v1alpha1.ReasonInvalidCertificate, none, false},
		"key for certificate":   {entries(good.key, good.key), v1alpha1.ReasonInvalidCertificate, none, false},
		"an ingress's":          {foreign.data(), v1alpha1.ReasonInvalidCertificate, none, false},
		"an ingress's, no key":  {entries(foreign.certificate, nil), v1alpha1.ReasonInvalidCertificate, none, false},
		"an ingress's, expired": {newPairOf(t, "pay.example.com", start.AddDate(-5, 0, 0), start.AddDate(0, 0, -1)).data(), v1alpha1.ReasonInvalidCertificate, none, false},
		"another merchant's":    {newPairOf(t, "19000001090", start, start.AddDate(1, 0, 0)).data(), v1alpha1.ReasonInvalidCertificate, none, false},
		"PKCS#12":               {entries(pkcs12, pkcs12), v1alpha1.ReasonInvalidCertificate, none, false},
		"no key":                {entries(good.certificate, nil), v1alpha1.ReasonInvalidCertificate, []string{certName, "tls.key", "is missing", stops}, true},
		"key no PEM":            {entries(good.certificate, []byte("no PEM at all")), v1alpha1.ReasonInvalidCertificate, []string{"tls.key", "apiclient_key.pem", stops}, true},
		"certificate for key":   {entries(good.certificate, good.certificate), v1alpha1.ReasonInvalidCertificate, []string{"tls.key"}, true},
		"key of waste":          {entries(good.certificate, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), v1alpha1.ReasonInvalidCertificate, []string{"tls.key", "apiclient_key.pem"}, true},
		"encrypted key":         {entries(good.certificate, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")), v1alpha1.ReasonInvalidCertificate, []string{"is encrypted", "openssl pkey -in apiclient_key.pem", stops}, true},
		"encrypted key, of old": {entries(good.certificate, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")), v1alpha1.ReasonInvalidCertificate, []string{"is encrypted", "openssl pkey"}, true},
		"key in PKCS#12":        {entries(good.certificate, pkcs12), v1alpha1.ReasonInvalidCertificate, []string{"apiclient_cert.p12", "openssl pkcs12 -in apiclient_cert.p12"}, true},
		"another's key":         {entries(good.certificate, other.key), v1alpha1.ReasonCertificateMismatch, []string{certName, "apiclient_key.pem", stops}, true},
		"expired":               {expired.data(), v1alpha1.ReasonCertificateExpired, []string{certName, "expired on 2026-11-20", "merchant platform", stops}, true},
		"not valid yet":         {early.data(), v1alpha1.ReasonCertificateExpired, []string{certName, "valid only from 2026-11-22T12:00:00Z", stops}, true},

		"right":                      {good.data(), "", nil, true},
		"right, key beside it":       {entries(bytes.Join([][]byte{good.key, good.certificate}, nil), good.key), "", nil, true},
		"right, with its chain":      {entries(bytes.Join([][]byte{good.certificate, foreign.certificate}, nil), good.key), "", nil, true},
		"right, authority first":     {entries(bytes.Join([][]byte{foreign.certificate, good.certificate}, nil), good.key), "", nil, true},
		"right, an older one before": {entries(bytes.Join([][]byte{other.certificate, good.certificate}, nil), good.key), "", nil, true},
		"right, broken one before":   {entries(append([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good.certificate...), good.key), "", nil, true},
		"right, UTF-8 with mark":     {entries(append([]byte("\uFEFF"), good.certificate...), append([]byte("\uFEFF"), good.key...)), "", nil, true},
		"right, UTF-16":              {entries([]byte(inUTF16(string(good.certificate))), []byte(inUTF16(string(good.key)))), "", nil, true},
		"right, CRLF":                {entries(bytes.ReplaceAll(good.certificate, []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(good.key, []byte("\n"), []byte("\r\n"))), "", nil, true},
		"right, text before it":      {entries(append([]byte("Bag Attributes\n    friendlyName: Tenpay Certificate\n"), good.certificate...), good.key), "", nil, true},
		"right, DER":                 {entries(der(good.certificate), der(good.key)), "", nil, true},
		"right, number as a word":    {newPairOf(t, "商户 "+mchID+" 有限公司", start.AddDate(-1, 0, 0), start.AddDate(4, 0, 0)).data(), "", nil, true},
		"right, odd PrintableString": {entries(withOddName(good.certificate), good.key), "", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newFixture(t)
			p.storeKey(key1)
			if test.data != nil {
				p.store(certName, test.data)
			}
			acc := p.get(p.merchant(withCertificate)) // Orders are not affected
			if acc.HasCertificate != (test.reason == "") || (acc.Certificate != nil) != test.known {
				t.Errorf("has a certificate %t, describes %+v", acc.HasCertificate, acc.Certificate)
			}
			if test.known && (acc.Certificate.SerialNumber != "ABCDEF" || !strings.Contains(acc.Certificate.Subject, mchID)) {
				t.Errorf("described as %+v", acc.Certificate)
			}
			if test.reason == "" {
				if acc.CertificateProblem != nil {
					t.Errorf("problem %+v", acc.CertificateProblem)
				}
				return
			}
			found := acc.CertificateProblem
			if found == nil || found.Reason != test.reason {
				t.Fatalf("problem %+v, want %s", found, test.reason)
			}
			for _, word := range test.says {
				if !strings.Contains(found.Message, word) {
					t.Errorf("%q does not say %q", found.Message, word)
				}
			}
			wantNoSecret(t, found.Message+fmt.Sprintf("%+v", *acc.CertificateProblem)+acc.Version, test.data)
		})
	}
}

// der returns the content of a PEM file.
func der(file []byte) []byte {
	block, _ := pem.Decode(file)
	return block.Bytes
}

// withOddName makes the organisation of a certificate a PrintableString with illegal characters.
// This invalidates its signature, which these tests don't check.
func withOddName(file []byte) []byte {
	odd := bytes.Replace(der(file), []byte("\x0C\x12微信商户系统"), []byte("\x13\x12微信商户系统"), 1)
	if _, err := x509.ParseCertificate(odd); err == nil || bytes.Equal(odd, der(file)) {
		panic("crypto/x509 takes it")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: odd})
}

func TestWithoutCertificate(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	if acc := p.get(p.merchant()); acc.HasCertificate || acc.Certificate != nil || acc.CertificateProblem != nil {
		t.Errorf("%+v", acc)
	}
}

func TestEndpointProblems(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	certificate := validPair(t).certificate
	for name, test := range map[string]struct {
		endpoint v1alpha1.Endpoint
		says     string
	}{
		"http":            {v1alpha1.Endpoint{URL: "http://wechat.example.test"}, "spec.endpoint.url must be an https URL"},
		"no URL":          {v1alpha1.Endpoint{URL: "wechat.example.test"}, "spec.endpoint.url"},
		"no host":         {v1alpha1.Endpoint{URL: "https://:8443"}, "spec.endpoint.url"},
		"garbage":         {v1alpha1.Endpoint{URL: "https://a b"}, "spec.endpoint.url"},
		"query":           {v1alpha1.Endpoint{URL: "https://wechat.example.test?a=b"}, "without user, query"},
		"empty query":     {v1alpha1.Endpoint{URL: "https://wechat.example.test?"}, "without user, query"},
		"fragment":        {v1alpha1.Endpoint{URL: "https://wechat.example.test#a"}, "without user, query"},
		"user":            {v1alpha1.Endpoint{URL: "https://somebody:" + key2 + "@wechat.example.test"}, "without user"},
		"port":            {v1alpha1.Endpoint{URL: "https://wechat.example.test:99999"}, "The port of spec.endpoint.url"},
		"port 0":          {v1alpha1.Endpoint{URL: "https://wechat.example.test:0"}, "The port of spec.endpoint.url"},
		"backup":          {v1alpha1.Endpoint{URL: ownHost, BackupURL: "http://wechat.example.test"}, "spec.endpoint.backupURL"},
		"bundle no PEM":   {v1alpha1.Endpoint{URL: ownHost, CABundle: []byte("garbage")}, "spec.endpoint.caBundle holds no PEM"},
		"bundle of waste": {v1alpha1.Endpoint{URL: ownHost, CABundle: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, "spec.endpoint.caBundle"},
	} {
		found := p.problem(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.Endpoint = &test.endpoint }))
		if found.Reason != v1alpha1.ReasonInvalidEndpoint || !strings.Contains(found.Message, test.says) {
			t.Errorf("%s: %+v", name, found)
		}
		wantNoSecret(t, found.Message, map[string][]byte{"password": []byte(key2)})
	}
	p.advance(pastProblemTTL)
	p.get(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.Endpoint.CABundle = certificate }))
}

// TestInvalidSecretNames: a Merchant created before the CRD restricted names gets a Problem, not an
// error that is retried forever.
func TestInvalidSecretNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a/b", "a%2fb", "..", "Upper", "a\nb", "k\x1b[31mred", "k\u202egnp"} {
		withoutKey := newFixture(t)
		key := withoutKey.problem(withoutKey.merchant(func(spec *v1alpha1.MerchantSpec) { spec.APIKeySecretRef.Name = name }))
		p := newFixture(t)
		p.store(keyName, map[string][]byte{"apiKey": []byte(key1)})
		certificate := p.get(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.CertificateSecretRef = &v1alpha1.SecretReference{Name: name} })).CertificateProblem
		for field, found := range map[string]*account.Problem{"spec.apiKeySecretRef": key, "spec.certificateSecretRef": certificate} {
			if found == nil || found.Reason != v1alpha1.ReasonSecretNotFound || !strings.Contains(found.Message, field) || !text.IsClean(found.Message) {
				t.Errorf("%q in %s: %+v", name, field, found)
			}
		}
	}
}
