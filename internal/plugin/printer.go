package plugin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/money"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/words"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// printer prints for people. It cleans every text argument first: an approver must not be misled by a description that
// clears the screen or adds a line with another amount.
type printer struct {
	language words.Language
	streams  genericiooptions.IOStreams
	location *time.Location
	input    *bufio.Reader
}

func newPrinter(language words.Language, streams genericiooptions.IOStreams, location *time.Location) *printer {
	return &printer{language: language, streams: streams, location: location, input: bufio.NewReader(streams.In)}
}

// text translates a message into the printer's language and inserts the cleaned arguments.
func (p *printer) text(format string, args ...any) string {
	cleaned := make([]any, len(args))
	for i, arg := range args {
		cleaned[i] = clean(arg)
	}
	translated := words.Translate(p.language, format)
	if len(args) == 0 {
		return translated
	}
	return fmt.Sprintf(translated, cleaned...)
}

func clean(arg any) any {
	switch value := arg.(type) {
	case string:
		return text.Clean(value)
	case error:
		return text.Clean(value.Error())
	case fmt.Stringer:
		return text.Clean(value.String())
	default:
		return arg
	}
}

// word translates a kind, a reason or a label by the glossary. In Chinese the name of a reason is added, because the
// documents and kubectl use it.
func (p *printer) word(english string) string {
	english = text.Clean(english)
	if english == "" {
		return "-"
	}
	return words.Word(p.language, english)
}

func (p *printer) reason(reason string) string { return p.reasonOf("", reason) }

// reasonOf translates a reason whose translation may depend on the kind.
func (p *printer) reasonOf(kind, reason string) string {
	word := p.word(reason)
	if special := kind + "/" + reason; words.KnowsWord(special) {
		word = p.word(special)
	}
	if word == text.Clean(reason) || reason == "" {
		return word
	}
	return word + " (" + text.Clean(reason) + ")"
}

// printf writes a line to stdout, notef to stderr.
func (p *printer) printf(format string, args ...any) {
	fmt.Fprintln(p.streams.Out, p.text(format, args...))
}
func (p *printer) notef(format string, args ...any) {
	fmt.Fprintln(p.streams.ErrOut, p.text(format, args...))
}

// ask asks a question on stderr, and returns true only for a yes. No answer counts as no.
func (p *printer) ask(format string, args ...any) bool {
	fmt.Fprint(p.streams.ErrOut, p.text(format, args...), " [y/N] ")
	line, err := p.input.ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(p.streams.ErrOut)
		p.notef("There was no answer. Use --yes where nobody can be asked.")
	}
	return slices.Contains([]string{"y", "yes", "是"}, strings.ToLower(strings.TrimSpace(line)))
}

// amount writes an amount in yuan, or in its own currency.
func (p *printer) amount(minor int64, currency string) string {
	if currency == "" || currency == "CNY" {
		return p.text("%s yuan", money.Decimal(minor, "CNY"))
	}
	return money.Decimal(minor, currency) + " " + text.Clean(currency)
}

// formatTime writes a time in the reader's time zone.
func (p *printer) formatTime(when *metav1.Time) string {
	if when == nil || when.IsZero() {
		return "-"
	}
	return when.In(p.location).Format("2006-01-02 15:04:05 -0700")
}

// orNone returns a cleaned text, or a dash if it is empty.
func orNone(value string) string {
	if value = text.Clean(value); value == "" {
		return "-"
	}
	return value
}

// line is a label of the glossary with its value.
type line struct{ label, value string }

// lines prints labels and values, one pair per line. The values must be clean: text, word, amount and orNone return clean
// texts.
func (p *printer) lines(out io.Writer, indent string, all ...line) {
	widest := 0
	for _, l := range all {
		widest = max(widest, widthOf(p.word(l.label)))
	}
	for _, l := range all {
		label := p.word(l.label)
		fmt.Fprintf(out, "%s%s:%s  %s\n", indent, label, strings.Repeat(" ", widest-widthOf(label)), l.value)
	}
}

// table prints an indented table whose headings are in the glossary. The tables of cli-runtime count a Chinese
// character as one column.
func (p *printer) table(heads []string, rows [][]string) {
	all := [][]string{{}}
	for _, head := range heads {
		all[0] = append(all[0], p.word(head))
	}
	all = append(all, rows...)
	widths := make([]int, len(heads))
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], widthOf(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		line.WriteString("  ")
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-widthOf(cell)+3))
		}
		fmt.Fprintln(p.streams.Out, strings.TrimRight(line.String(), " "))
	}
}

// harmless makes the output of a printer safe for terminals: in JSON it escapes the characters that a terminal would
// interpret, and it removes them from other formats.
func harmless(output []byte, isJSON bool) []byte {
	var safe bytes.Buffer
	for _, r := range string(output) {
		switch {
		case r == '\n' || r == '\t' || !interpreted(r):
			safe.WriteRune(r)
		case isJSON:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&safe, `\u%04x`, unit)
			}
		}
	}
	return safe.Bytes()
}

// interpreted reports whether a terminal acts on a character instead of showing it.
func interpreted(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
