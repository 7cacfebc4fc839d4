package webhookserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRequestsThatAreNotCallbacks(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	sent := paymentOf(order).good().to(d.paymentPath())
	cases := map[string]struct {
		method, path string
		status       []int
	}{
		"GET":                     {http.MethodGet, d.paymentPath(), []int{405}},
		"HEAD":                    {http.MethodHead, d.paymentPath(), []int{405}},
		"PUT":                     {http.MethodPut, d.paymentPath(), []int{405}},
		"PATCH":                   {http.MethodPatch, d.paymentPath(), []int{405}},
		"DELETE":                  {http.MethodDelete, d.refundPath(), []int{405}},
		"OPTIONS":                 {http.MethodOptions, d.paymentPath(), []int{405}},
		"a method of its own":     {"SETTLE", d.paymentPath(), []int{405}},
		"post in small letters":   {"post", d.paymentPath(), []int{405}},
		"the root":                {http.MethodPost, "/", []int{404}},
		"no kind":                 {http.MethodPost, strings.TrimSuffix(d.paymentPath(), "/payment"), []int{404}},
		"another kind":            {http.MethodPost, strings.TrimSuffix(d.paymentPath(), "payment") + "transfer", []int{404}},
		"more after the kind":     {http.MethodPost, d.paymentPath() + "/more", []int{404}},
		"a slash after the kind":  {http.MethodPost, d.paymentPath() + "/", []int{404}},
		"another version":         {http.MethodPost, strings.Replace(d.paymentPath(), root(d.Protocol), "/notify/v1/", 1), []int{404}},
		"no namespace":            {http.MethodPost, root(d.Protocol) + "/shop/payment", []int{301, 307, 308, 404}},
		"dots":                    {http.MethodPost, root(d.Protocol) + "x/../" + d.Namespace + "/shop/payment", []int{301, 307, 308}},
		"dots out of the root":    {http.MethodPost, "/../../../etc/passwd", []int{301, 307, 308, 404}},
		"escaped dots":            {http.MethodPost, root(d.Protocol) + "%2e%2e/%2e%2e/payment", []int{301, 307, 308, 404}},
		"escaped slash":           {http.MethodPost, root(d.Protocol) + d.Namespace + "%2fshop/shop/payment", []int{404}},
		"escaped slash in a name": {http.MethodPost, root(d.Protocol) + d.Namespace + "/..%2f" + d.Namespace + "%2fshop/payment", []int{404}},
		"line break":              {http.MethodPost, root(d.Protocol) + d.Namespace + "/shop%0a%7b%22level%22:%22error%22%7d/payment", []int{404}},
		"NUL":                     {http.MethodPost, root(d.Protocol) + d.Namespace + "/shop%00/payment", []int{404}},
		"not UTF-8":               {http.MethodPost, root(d.Protocol) + d.Namespace + "/%ff%fe/payment", []int{404}},
		"capital letters":         {http.MethodPost, root(d.Protocol) + d.Namespace + "/SHOP/payment", []int{404}},
		"a name without end":      {http.MethodPost, root(d.Protocol) + d.Namespace + "/" + strings.Repeat("a", 4000) + "/payment", []int{404}},
		"a namespace without end": {http.MethodPost, root(d.Protocol) + strings.Repeat("a", 4000) + "/shop/payment", []int{404}},
		"a pattern as a name":     {http.MethodPost, root(d.Protocol) + "%7Bnamespace%7D/%7Bname%7D/payment", []int{404}},
	}
	expectUnchanged(t, d, c, order, func(t *testing.T, unchanged func(t *testing.T)) {
		for name, bad := range cases {
			t.Run(name, func(t *testing.T) {
				got := d.send(bad.method, c.base+bad.path, strings.NewReader(sent.body), sent.setHeader)
				for _, status := range bad.status {
					if got.status == status {
						expectFail(t, got, status)
						unchanged(t)
						return
					}
				}
				t.Fatalf("want one of %v, got %+v", bad.status, got)
			})
		}
		for _, line := range c.log.all() {
			if strings.Contains(line, "level") && strings.Contains(line, "shop") {
				t.Error("what stands in a path got into the log:", line)
			}
		}
	})
}

// sendRaw sends bytes unchanged and returns the answer; status 0 means that the connection was
// closed without one.
func sendRaw(t *testing.T, c *callbackServer, parts ...string) answer {
	t.Helper()
	connection := c.dial()
	for _, part := range parts {
		if _, err := io.WriteString(connection, part); err != nil {
			break // the server has closed the connection
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, body: string(text)}
}

func TestRequestsThatNoClientSends(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	sent := paymentOf(order).good().to(d.paymentPath())
	body := sent.body
	start := "POST " + d.paymentPath() + " HTTP/1.1\r\nHost: pay.example.com\r\n" + sent.lines()
	sized := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 16<<10, strings.Repeat("x", 16<<10))
	cases := map[string]struct {
		parts  []string
		status []int
	}{
		"huge headers":               {[]string{start + "X: " + strings.Repeat("x", 64<<10) + "\r\n" + sized(len(body)) + body}, []int{431, 0}},
		"headers without number":     {[]string{start + strings.Repeat("X: x\r\n", 20_000) + sized(len(body)) + body}, []int{431, 0}},
		"a path without end":         {[]string{"POST /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n"}, []int{431, 0}},
		"chunks without end":         {[]string{start + "Transfer-Encoding: chunked\r\n\r\n", strings.Repeat(chunk, 64)}, []int{413, 0}},
		"a chunk of a false size":    {[]string{start + "Transfer-Encoding: chunked\r\n\r\n", "zz\r\n" + body + "\r\n0\r\n\r\n"}, []int{400}},
		"a length and chunks":        {[]string{start + "Transfer-Encoding: chunked\r\n" + sized(5), "0\r\n\r\n"}, []int{400, 403}},
		"two lengths":                {[]string{start + "Content-Length: 5\r\n" + sized(len(body)) + body}, []int{400}},
		"a negative length":          {[]string{start + sized(-1) + body}, []int{400}},
		"a length beyond numbers":    {[]string{start + "Content-Length: 99999999999999999999\r\n\r\n" + body}, []int{400}},
		"a length of a gigabyte":     {[]string{start + sized(1<<30) + strings.Repeat("x", 65<<10)}, []int{413, 0}},
		"no length":                  {[]string{start + "\r\n" + body}, []int{403}},
		"less than the body":         {[]string{start + sized(len(body)-1) + body}, []int{403}},
		"no host":                    {[]string{"POST " + d.paymentPath() + " HTTP/1.1\r\n" + sized(len(body)) + body}, []int{400}},
		"no HTTP":                    {[]string{body + "\r\n\r\n"}, []int{400, 0}},
		"HTTP/2 without a greeting":  {[]string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, []int{400, 404, 405, 505, 0}},
		"a header with a line break": {[]string{start + "X: a\r\n b\r\n" + sized(5) + "<xml>"}, []int{400, 403}},
		"a host of its own":          {[]string{strings.Replace(start, "pay.example.com", "localhost", 1) + sized(5) + "<xml>"}, []int{403}},
	}
	expectUnchanged(t, d, c, order, func(t *testing.T, unchanged func(t *testing.T)) {
		for name, bad := range cases {
			t.Run(name, func(t *testing.T) {
				got := sendRaw(t, c, bad.parts...)
				for _, status := range bad.status {
					if got.status == status && !strings.Contains(got.body, "SUCCESS") {
						unchanged(t)
						return
					}
				}
				t.Fatalf("want one of %v, got %+v", bad.status, got)
			})
		}
	})
}

// TestSlowSendersDoNotBlockOthers: reading a slow request has a deadline, and other requests are
// served meanwhile.
func TestSlowSendersDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	good := paymentOf(order).with("total_fee", "101").good()
	body := good.to(d.paymentPath()).body
	start := "POST " + d.paymentPath() + " HTTP/1.1\r\nHost: pay.example.com\r\n"
	slow := map[string]string{
		"half a header": start,
		"half a body":   start + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body[:len(body)/2],
		"half a chunk":  start + "Transfer-Encoding: chunked\r\n\r\n100\r\n<xml>",
	}
	results := make(chan answer, len(slow))
	for _, part := range slow {
		go func() { results <- sendRaw(t, c, part) }()
	}
	expectSuccess(t, c.pay(good))
	for range slow {
		if got := <-results; got.status != 0 && got.status != http.StatusBadRequest && got.status != http.StatusRequestTimeout {
			t.Errorf("%+v", got)
		}
	}
	d.expectPaid(order, "True/Paid")
	expectSuccess(t, c.pay(good))
}
