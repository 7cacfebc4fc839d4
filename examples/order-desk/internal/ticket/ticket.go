// Package ticket says what stands on the paper of an order, in rows of a fixed width, and writes it
// in what a receipt printer takes (ESC/POS) and in what an IPP Everywhere printer takes (PWG raster).
package ticket

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/currency"
)

// Copy says why an order is printed once more.
type Copy int

// A ticket is the first of its order, or one that was asked for, or the repetition of an attempt
// whose end is not known, so that two tickets of the order may lie there, or the first of an object
// whose payment was printed for an earlier object.
const (
	First Copy = iota
	AskedFor
	MayBeSecond
	OfEarlierEvent
)

// Ticket is what is known of a paid order when it is printed.
type Ticket struct {
	Number string
	Late   bool
	// CheckFirst is set if the goods may have been shipped already.
	CheckFirst    bool
	Total         int64
	Currency      string
	PaidTime      time.Time
	TransactionID string
	TradeType     string
	Shop          string
	Description   string
	Items         []Item
	Refunds       []Refund
	Copy          Copy
}

// Item is one of the goods.
type Item struct {
	Name     string
	Quantity int64
}

// Refund is a refund that the desk has heard of before the order was printed.
type Refund struct {
	Amount int64
	State  string
}

// Row is one row on the paper.
type Row struct {
	// Text has at most the paper's columns, half of them if it is Large.
	Text   string
	Bold   bool
	Large  bool
	Centre bool
}

// Layout arranges a ticket for paper of a number of columns. show replaces what the printer can't
// show. Everything that comes from outside passes through it.
func (t Ticket) Layout(columns int, zone *time.Location, show func(string) string) []Row {
	l := layout{columns: columns, show: show}
	if t.CheckFirst {
		l.add(Row{Text: "先核对，可能已发货", Bold: true, Centre: true})
		l.add(Row{Text: "Check first: may be shipped", Bold: true, Centre: true})
	}
	title := "已付款 PAID"
	if t.Late {
		title = "迟到付款 PAID LATE"
	}
	l.add(Row{Text: title, Large: true, Bold: true, Centre: true})
	switch t.Copy {
	case AskedFor:
		l.add(Row{Text: "补打 COPY", Bold: true, Centre: true})
	case MayBeSecond:
		l.add(Row{Text: "补打：可能已有一张", Bold: true, Centre: true})
		l.add(Row{Text: "COPY, there may be another", Centre: true})
	case OfEarlierEvent:
		l.add(Row{Text: "补打：此付款已打印过", Bold: true, Centre: true})
		l.add(Row{Text: "COPY, payment printed before", Centre: true})
	}
	if t.Late {
		l.add(Row{Text: "关单后才付款，请先确认", Centre: true})
	}
	l.wrap(t.Number, Row{Bold: true})
	l.rule()
	if len(t.Items) == 0 {
		l.wrap(t.Description, Row{})
	}
	for _, item := range t.Items {
		l.pair(item.Name, "x"+strconv.FormatInt(item.Quantity, 10), Row{})
	}
	if t.Description != "" || len(t.Items) > 0 {
		l.rule()
	}
	l.pair("合计 Total", Money(t.Total, t.Currency), Row{Bold: true})
	for _, refund := range t.Refunds {
		l.pair(refund.State, Money(refund.Amount, t.Currency), Row{Bold: true})
	}
	if !t.PaidTime.IsZero() {
		l.pair("付款 Paid", t.PaidTime.In(zone).Format("2006-01-02 15:04:05"), Row{})
	}
	l.pair("方式 Type", t.TradeType, Row{})
	l.pair("店铺 Shop", t.Shop, Row{})
	l.wrap(t.TransactionID, Row{})
	return l.rows
}

// layout collects rows.
type layout struct {
	columns int
	show    func(string) string
	rows    []Row
}

func (l *layout) add(row Row) {
	columns := l.columns
	if row.Large {
		columns /= 2
	}
	for _, line := range Wrap(l.show(row.Text), columns) {
		row.Text = line
		l.rows = append(l.rows, row)
	}
}

func (l *layout) wrap(text string, style Row) {
	style.Text = text
	l.add(style)
}

// pair puts one text to the left and one to the right, in two rows if they do not fit into one.
func (l *layout) pair(left, right string, style Row) {
	if right == "" {
		return
	}
	left, right = l.show(left), l.show(right)
	lines := Wrap(left, l.columns)
	for _, line := range lines[:max(len(lines)-1, 0)] {
		l.wrap(line, style)
	}
	last := ""
	if len(lines) > 0 {
		last = lines[len(lines)-1]
	}
	if gap := l.columns - Columns(last) - Columns(right); gap > 0 {
		l.wrap(last+strings.Repeat(" ", gap)+right, style)
		return
	}
	l.wrap(last, style)
	for _, line := range Wrap(right, l.columns) {
		l.wrap(strings.Repeat(" ", l.columns-Columns(line))+line, style)
	}
}

func (l *layout) rule() { l.wrap(strings.Repeat("-", l.columns), Row{}) }

// Wrap cuts a text into lines of at most a number of columns.
func Wrap(text string, columns int) (lines []string) {
	line, used := strings.Builder{}, 0
	for _, r := range text {
		if used+columnsOf(r) > columns {
			lines = append(lines, line.String())
			line, used = strings.Builder{}, 0
		}
		line.WriteRune(r)
		used += columnsOf(r)
	}
	if line.Len() > 0 {
		lines = append(lines, line.String())
	}
	return lines
}

// Columns returns how many columns a text takes: Chinese characters take two.
func Columns(text string) (columns int) {
	for _, r := range text {
		columns += columnsOf(r)
	}
	return columns
}

func columnsOf(r rune) int {
	if r < 0x80 {
		return 1
	}
	return 2
}

// Money writes an amount of minor units. CNY ends in 元: the sign U+00A5 takes four bytes in GB18030
// and is not shown by most printers.
func Money(total int64, code string) string {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return strings.TrimSpace(strconv.FormatInt(total, 10) + " " + code)
	}
	digits, _ := currency.Standard.Rounding(unit)
	text := strconv.FormatInt(total, 10)
	if digits > 0 {
		text = strings.Repeat("0", max(digits+1-len(text), 0)) + text
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	if code == "CNY" {
		return text + "元"
	}
	return text + " " + code
}
