package bills_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
)

func small(change func(*billtest.Row)) string {
	row := largeRow(1)
	change(&row)
	return string(billtest.Bill(row, largeRow(2)))
}

// TestWhatIsNotComplete: each of these bills can be read, and none has exactly the rows of this merchant's day.
func TestWhatIsNotComplete(t *testing.T) {
	good := small(func(*billtest.Row) {})
	for name, c := range map[string]struct{ text, says string }{
		"another merchant":      {strings.ReplaceAll(good, "1900000109", "1900000110"), "rows of another merchant number"},
		"another day":           {strings.ReplaceAll(good, "2026-11-27", "2026-11-26"), "rows of another day"},
		"amount beyond int64":   {strings.Replace(good, "`0.02,", "`92233720368547758.08,", 1), "1 lines of it can't be read (the first one is line 2)"},
		"sum beyond int64":      {strings.ReplaceAll(strings.ReplaceAll(good, "`0.02,", "`92233720368547758.07,"), "`0.03,", "`92233720368547758.07,"), "1 lines of it can't be read"},
		"no sub merchant":       {strings.Replace(good, "`0,`,", "`5,`,", 1), "1 lines of it can't be read"},
		"no currency":           {strings.Replace(good, "`CNY", "``CNY", 1), "1 lines of it can't be read"},
		"no number":             {strings.Replace(good, "`order-of", "`order of", 1), "1 lines of it can't be read"},
		"negative amount":       {strings.Replace(good, "`0.02,", "`-0.02,", 1), "1 lines of it can't be read"},
		"a row is lost":         {strings.Join(slices.Delete(strings.SplitAfter(good, "\n"), 1, 2), ""), "do not add up to its summary (总交易单数, 应结订单总金额"},
		"rows after the end":    {good + strings.SplitAfter(good, "\n")[1], "1 lines of it can't be read (the first one is line 6)"},
		"an empty line between": {strings.Replace(good, "\r\n", "\r\n\r\n", 1), "1 lines of it can't be read (the first one is line 2)"},
		"a line without end":    {strings.Replace(good, "Oolong", strings.Repeat("x", 100_000), 1), "1 lines of it can't be read"},
		"a summary without sum": {strings.Replace(good, "订单总金额,申请", "新列,申请", 1), "do not add up to its summary"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := readTrade(strings.NewReader(c.text), bills.Of{Day: largeDay, MchID: largeMchID}, func(*bills.TradeBill, bills.TradeRow) {})
			if err != nil || report.Complete() || !strings.Contains(report.Problems(), c.says) {
				t.Errorf("%v, complete: %v: %q", err, report.Complete(), report.Problems())
			}
		})
	}
	report, err := readTrade(strings.NewReader(good+"\r\n\r\n"), bills.Of{Day: largeDay, MchID: largeMchID}, func(*bills.TradeBill, bills.TradeRow) {})
	if err != nil || !report.Complete() {
		t.Errorf("the bill itself: %v, %q", err, report.Problems())
	}
}

// TestWhatIsRefused has an explanation.
func TestWhatIsRefused(t *testing.T) {
	good := small(func(*billtest.Row) {})
	for name, c := range map[string]struct {
		text   string
		reason bills.Reason
		says   string
	}{
		"column renamed":   {strings.Replace(good, "应结订单金额", "应结金额", 1), bills.ReasonUnknownFormat, "lacks the columns 应结订单金额"},
		"fees renamed":     {strings.Replace(good, "手续费", "服务费", 1), bills.ReasonUnknownFormat, "lacks the columns 手续费"},
		"refunds renamed":  {strings.Replace(good, "商户退款单号", "退款单号", 1), bills.ReasonUnknownFormat, "lacks the columns 商户退款单号"},
		"a column twice":   {strings.Replace(good, "代金券金额", "订单金额", 1), bills.ReasonUnknownFormat, "the column 订单金额 twice"},
		"HTML":             {"<html><body>502 Bad Gateway</body></html>", bills.ReasonNotABill, "an error reply or a web page"},
		"an error reply":   {"\n {\"code\":\"NO_AUTH\"}", bills.ReasonNotABill, "an error reply or a web page"},
		"nothing":          {"", bills.ReasonNoSummary, "empty"},
		"no line ends":     {strings.ReplaceAll(small(func(row *billtest.Row) { row.Goods = strings.Repeat("x", 70_000) }), "\r\n", ""), bills.ReasonUnknownFormat, "took the line ends out"},
		"cut":              {good[:len(good)/2], bills.ReasonNoSummary, "it was cut"},
		"a fund-flow bill": {fundText(nil), bills.ReasonUnknownFormat, "no trade bill"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readTrade(strings.NewReader(c.text), bills.Of{}, func(*bills.TradeBill, bills.TradeRow) {})
			refused, ok := errors.AsType[*bills.Refused](err)
			if !ok || refused.Reason != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestABrokenConnectionIsNotABrokenBill: the same download may succeed.
func TestABrokenConnectionIsNotABrokenBill(t *testing.T) {
	text := small(func(*billtest.Row) {})
	var packed bytes.Buffer
	packing := gzip.NewWriter(&packed)
	_, _ = io.WriteString(packing, text)
	_ = packing.Close()
	broken := errors.New("connection reset")
	for name, content := range map[string]string{"plain": text, "packed": packed.String()} {
		for _, after := range []int{0, 1, 2, 20, len(content) - 1} {
			source := io.MultiReader(strings.NewReader(content[:after]), iotest.ErrReader(broken))
			body, err := bills.Open(source, bills.Expected{MaxBytes: 1 << 20})
			if err == nil {
				_, err = readTrade(body, bills.Of{}, func(*bills.TradeBill, bills.TradeRow) {})
			}
			if !errors.Is(err, broken) {
				t.Errorf("%s, broken after %d bytes: %v", name, after, err)
			}
		}
	}
}

// TestAFileThatUnpacksToNothingEnds: gzip members without content are short, and may never end.
func TestAFileThatUnpacksToNothingEnds(t *testing.T) {
	var empty bytes.Buffer
	_ = gzip.NewWriter(&empty).Close()
	read := 0
	body, err := bills.Open(endless{empty.Bytes(), &read}, bills.Expected{MaxBytes: 1000})
	if err == nil {
		_, err = io.Copy(io.Discard, body)
	}
	if read > 2<<20 {
		t.Errorf("%d bytes were read: %v", read, err)
	}
}

// endless repeats the same bytes without end.
type endless struct {
	content []byte
	read    *int
}

func (e endless) Read(into []byte) (int, error) {
	n := copy(into, e.content[*e.read%len(e.content):])
	*e.read += n
	return n, nil
}
