package v2

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// hostileDocuments build documents of a given size in bytes that are as expensive to parse as
// possible.
var hostileDocuments = map[string]func(size int) string{
	"elements": func(size int) string { return "<xml>" + strings.Repeat("<a/>", size/4) + "</xml>" },
	"names":    func(size int) string { return "<xml>" + distinctNames(size) + "</xml>" },
	"nesting":  func(size int) string { return strings.Repeat("<xml>", size/5) },
	"field":    func(size int) string { return "<xml><a>" + strings.Repeat("x", size) + "</a></xml>" },
	"lines": func(size int) string {
		return "<xml><a>" + strings.Repeat("`wx,`1900000109,`101\r\n", size/22) + "</a></xml>"
	},
	"sections":         func(size int) string { return "<xml><a>" + strings.Repeat("<![CDATA[x]]>", size/13) + "</a></xml>" },
	"open sections":    func(size int) string { return "<xml><a>" + strings.Repeat("<![CDATA[", size/9) },
	"references":       func(size int) string { return "<xml><a>" + strings.Repeat("&#65;", size/5) + "</a></xml>" },
	"open references":  func(size int) string { return "<xml><a>" + strings.Repeat("&", size) + "</a></xml>" },
	"a long reference": func(size int) string { return "<xml><a>&#" + strings.Repeat("0", size) + "65;</a></xml>" },
	"comments":         func(size int) string { return "<xml>" + strings.Repeat("<!---->", size/7) + "</xml>" },
	"open comments":    func(size int) string { return "<xml>" + strings.Repeat("<!-- ", size/5) },
	"spaces":           func(size int) string { return strings.Repeat(" ", size) + "<xml></xml>" },
}

func distinctNames(size int) string {
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, "<a%d/>", i*7919%1_000_003)
	}
	return text.String()
}

// BenchmarkHostileDocuments measures the cost per byte, which must not grow with the size.
func BenchmarkHostileDocuments(b *testing.B) {
	for name, document := range hostileDocuments {
		for _, size := range []int{maxDocument / 16, maxDocument / 4, maxDocument - 64} {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(name, " ", "-"), size), func(b *testing.B) {
				text := []byte(document(size))
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					_, _ = readFields(text, messageRoot, maxReplyFields)
				}
			})
		}
	}
}

// TestHostileDocumentsCostTheirSize: the memory for a document is at most a multiple of its size.
func TestHostileDocumentsCostTheirSize(t *testing.T) {
	const perByte = 64
	for name, document := range hostileDocuments {
		for _, size := range []int{maxDocument / 16, maxDocument / 4, maxDocument - 64} {
			text := []byte(document(size))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = readFields(text, messageRoot, maxReplyFields)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > uint64(perByte*len(text)) {
				t.Errorf("%s: %d bytes for a document of %d", name, took, len(text))
			}
		}
		if _, err := readFields([]byte(document(1<<20)), messageRoot, maxReplyFields); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: a megabyte is %v", name, err)
		}
	}
}
