package bills_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// vectors are bills with their expected results.
type vectors struct {
	Headers map[string][]string
	Cases   []vector
}

type vector struct {
	Name, Kind     string
	Inputs, Expect json.RawMessage
}

const vectorsFile = "testdata/vectors-bills.json"

// countOfVectors fails the test if a case is lost.
const countOfVectors = 129

func readVectors(t testing.TB) vectors {
	t.Helper()
	content, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var read vectors
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestVectors(t *testing.T) {
	kinds := map[string]func(*testing.T, vector){
		"trade-parse": tradeVector, "fund-parse": fundVector, "fund-cross": crossVector, "download": downloadVector, "download-url": addressVector,
		"reply": replyVector, "reconcile": reconcileVector, "schedule": scheduleVector, "scalar-amount": amountVector, "scalar-fee": feeVector,
		"scalar-rate": rateVector, "scalar-fee-rule": feeRuleVector, "scalar-day": dayVector,
	}
	run := 0
	for _, c := range readVectors(t).Cases {
		check, known := kinds[c.Kind]
		if !known {
			t.Errorf("%s: nothing checks the kind %s", c.Name, c.Kind)
			continue
		}
		run++
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) { check(t, c) })
	}
	if run != countOfVectors {
		t.Errorf("%d cases instead of %d", run, countOfVectors)
	}
}

// read decodes a part of a case strictly: an unknown member would not be checked.
func read[Part any](t *testing.T, from json.RawMessage) Part {
	t.Helper()
	var part Part
	decoder := json.NewDecoder(bytes.NewReader(from))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&part); err != nil {
		t.Fatal(err)
	}
	return part
}

type billInput struct {
	BillDate bills.Day `json:"bill_date"`
	Text     string
	Base64   []byte
}

func (i billInput) reader() io.Reader {
	if i.Text != "" {
		return strings.NewReader(i.Text)
	}
	return bytes.NewReader(i.Base64)
}

// checkReason compares the reason with the expected one, and reports whether the bill was accepted.
func checkReason(t *testing.T, err error, accept bool, reason bills.Reason) bool {
	t.Helper()
	if refused, ok := errors.AsType[*bills.Refused](err); ok {
		if accept || refused.Reason != reason {
			t.Errorf("refused: %v (%s)", err, refused.Reason)
		}
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if !accept {
		t.Errorf("accepted, not refused for %s", reason)
	}
	return accept
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("%s (-want +got):\n%s", what, difference)
	}
}

// sameIfSaid compares only members that the case has.
func sameIfSaid[Value any](t *testing.T, what string, got Value, want *Value) {
	t.Helper()
	if want != nil {
		same(t, what, got, *want)
	}
}

func numbersOf(lines bills.Lines) []int { return append([]int{}, lines.First...) }

type tradeExpectation struct {
	Accept                             bool
	Reason                             bills.Reason
	Format                             *bills.Format
	Rows, Payments, Refunds, Reversals *int
	Order                              *int64          `json:"order_fen"`
	Settle                             *int64          `json:"settle_fen"`
	Requested                          json.RawMessage `json:"requested_refund_fen"`
	Refund                             json.RawMessage `json:"refund_fen"`
	CouponRefund                       json.RawMessage `json:"coupon_refund_fen"`
	Fee                                *bills.Fee      `json:"fee_e5"`
	RejectedLines                      *[]int          `json:"rejected_lines"`
	Flags                              *[]bills.Flag
	SummaryOK                          *bool     `json:"summary_ok"`
	SummaryDiff                        *[]string `json:"summary_diff"`
	First                              map[string]string
	BySub                              map[string]struct {
		Order     int64 `json:"order_fen"`
		Requested int64 `json:"requested_refund_fen"`
	} `json:"by_sub"`
	ByCurrency map[string]int64 `json:"by_currency"`
}

func tradeVector(t *testing.T, c vector) {
	input, want := read[billInput](t, c.Inputs), read[tradeExpectation](t, c.Expect)
	rows, first := 0, map[string]string{}
	report, err := readTrade(input.reader(), bills.Of{Day: input.BillDate}, func(bill *bills.TradeBill, _ bills.TradeRow) {
		for column := range want.First {
			if rows == 0 {
				first[column] = bill.Value(column)
			}
		}
		rows++
	})
	if !checkReason(t, err, want.Accept, want.Reason) {
		return
	}
	sameIfSaid(t, "format", report.Format, want.Format)
	sameIfSaid(t, "rows", rows, want.Rows)
	sameIfSaid(t, "rows of the report", report.Rows(), want.Rows)
	sameIfSaid(t, "payments", report.Payments, want.Payments)
	sameIfSaid(t, "refunds", report.Refunds, want.Refunds)
	sameIfSaid(t, "reversals", report.Reversals, want.Reversals)
	sameIfSaid(t, "order_fen", report.Order, want.Order)
	sameIfSaid(t, "settle_fen", report.Settled, want.Settle)
	for name, amount := range map[string]struct {
		got  int64
		want json.RawMessage
	}{
		"requested_refund_fen": {report.Requested, want.Requested}, "refund_fen": {report.Refunded, want.Refund}, "coupon_refund_fen": {report.CouponRefunded, want.CouponRefund},
	} {
		if string(amount.want) == "null" {
			same(t, name+" has no columns", report.HasRefunds, false)
		} else {
			same(t, name, amount.got, read[int64](t, amount.want))
		}
	}
	sameIfSaid(t, "fee_e5", report.Fee, want.Fee)
	sameIfSaid(t, "rejected_lines", numbersOf(report.Rejected), want.RejectedLines)
	sameIfSaid(t, "flags", append([]bills.Flag{}, report.Flags...), want.Flags)
	sameIfSaid(t, "summary_ok", report.SummaryOK, want.SummaryOK)
	sameIfSaid(t, "summary_diff", report.SummaryDifferences, want.SummaryDiff)
	if want.First != nil {
		same(t, "first", first, want.First)
	}
	for sub, sums := range want.BySub {
		same(t, "order_fen of "+sub, report.BySub[sub].Order, sums.Order)
		same(t, "requested_refund_fen of "+sub, report.BySub[sub].Requested, sums.Requested)
	}
	for currency, amount := range want.ByCurrency {
		same(t, "amount in "+currency, report.ByCurrency[currency].Order, amount)
	}
}

// readTrade reads a bill to its end.
func readTrade(text io.Reader, of bills.Of, each func(*bills.TradeBill, bills.TradeRow)) (bills.TradeReport, error) {
	bill, err := bills.ReadTrade(text, of)
	if err != nil {
		return bills.TradeReport{}, err
	}
	for {
		row, err := bill.Next()
		if errors.Is(err, io.EOF) {
			return bill.Report(), nil
		}
		if err != nil {
			return bills.TradeReport{}, err
		}
		each(bill, row)
	}
}

// readFund does the same for a fund-flow bill.
func readFund(text io.Reader, of bills.Of, each func(bills.FundRow)) (bills.FundReport, error) {
	bill, err := bills.ReadFund(text, of)
	if err != nil {
		return bills.FundReport{}, err
	}
	for {
		row, err := bill.Next()
		if errors.Is(err, io.EOF) {
			return bill.Report(), nil
		}
		if err != nil {
			return bills.FundReport{}, err
		}
		each(row)
	}
}

func fundVector(t *testing.T, c vector) {
	input := read[billInput](t, c.Inputs)
	want := read[struct {
		Accept        bool
		Reason        bills.Reason
		Rows          int
		InCount       int              `json:"in_count"`
		In            int64            `json:"in_fen"`
		OutCount      int              `json:"out_count"`
		Out           int64            `json:"out_fen"`
		Opening       *int64           `json:"opening_fen"`
		Closing       *int64           `json:"closing_fen"`
		BalanceOK     bool             `json:"balance_ok"`
		SummaryOK     bool             `json:"summary_ok"`
		ByType        map[string]int64 `json:"by_type"`
		RejectedLines []int            `json:"rejected_lines"`
	}](t, c.Expect)
	rows := 0
	report, err := readFund(input.reader(), bills.Of{Day: input.BillDate}, func(bills.FundRow) { rows++ })
	if !checkReason(t, err, want.Accept, want.Reason) {
		return
	}
	same(t, "rows", rows, want.Rows)
	same(t, "sums", report.FundSums, bills.FundSums{InCount: want.InCount, InAmount: want.In, OutCount: want.OutCount, OutAmount: want.Out})
	same(t, "opening_fen", report.Opening, want.Opening)
	same(t, "closing_fen", report.Closing, want.Closing)
	same(t, "balance_ok", report.BalanceOK, want.BalanceOK)
	same(t, "summary_ok", report.SummaryOK, want.SummaryOK)
	same(t, "by_type", report.ByType, want.ByType)
	same(t, "rejected_lines", numbersOf(report.Rejected), want.RejectedLines)
}

func crossVector(t *testing.T, c vector) {
	input := read[struct {
		BillDate    bills.Day `json:"bill_date"`
		Trade, Fund string
	}](t, c.Inputs)
	want := read[struct{ Differences [][2]string }](t, c.Expect)
	cross := bills.NewFundCross()
	_, err := readTrade(strings.NewReader(input.Trade), bills.Of{Day: input.BillDate}, func(_ *bills.TradeBill, row bills.TradeRow) { cross.Trade(row) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readFund(strings.NewReader(input.Fund), bills.Of{Day: input.BillDate}, cross.Fund); err != nil {
		t.Fatal(err)
	}
	got := [][2]string{}
	for _, difference := range cross.Differences() {
		got = append(got, [2]string{string(difference.Class), difference.Number})
	}
	same(t, "differences", got, want.Differences)
}

func downloadVector(t *testing.T, c vector) {
	input := read[struct {
		Base64    string
		AskedGzip bool   `json:"asked_gzip"`
		MaxBytes  int64  `json:"max_bytes"`
		HashType  string `json:"hash_type"`
		HashValue string `json:"hash_value"`
		Digest    string
	}](t, c.Inputs)
	want := read[struct {
		Accept bool
		Reason bills.Reason
		Bytes  int
	}](t, c.Expect)
	content, err := base64.StdEncoding.DecodeString(input.Base64)
	if err != nil {
		t.Fatal(err)
	}
	expected := bills.Expected{HashType: input.HashType, Hash: input.HashValue}
	if input.Digest != "" {
		expected = bills.ExpectDigest(input.Digest)
	}
	expected.MaxBytes = input.MaxBytes
	var text []byte
	body, err := bills.Open(bytes.NewReader(content), expected)
	if err == nil {
		text, err = io.ReadAll(body)
	}
	if checkReason(t, err, want.Accept, want.Reason) {
		same(t, "bytes", len(text), want.Bytes)
		same(t, "size", body.Size(), int64(want.Bytes))
	}
}

func addressVector(t *testing.T, c vector) {
	input := read[struct {
		URL          string
		AllowedHosts []string `json:"allowed_hosts"`
	}](t, c.Inputs)
	want := read[struct {
		Send bool `json:"send_authorization"`
	}](t, c.Expect)
	_, err := bills.DownloadURL(input.URL, input.AllowedHosts)
	same(t, "send_authorization", err == nil, want.Send)
	if err != nil && strings.Contains(err.Error(), "token") {
		t.Errorf("the error repeats the address: %v", err)
	}
}

func scheduleVector(t *testing.T, c vector) {
	input := read[struct {
		Policy struct {
			ReadyHour  int `json:"ready_hour_beijing"`
			MonthsBack int `json:"months_back"`
		}
		Items [][2]string
	}](t, c.Inputs)
	want := read[struct{ Answers []bills.Turn }](t, c.Expect)
	policy := bills.Policy{ReadyHour: input.Policy.ReadyHour, MonthsBack: input.Policy.MonthsBack}
	var got []bills.Turn
	for _, item := range input.Items {
		day, err := bills.ParseDay(item[0])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, policy.Turn(day, instant(t, item[1])))
	}
	same(t, "answers", got, want.Answers)
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// pointers returns the value of each text; nil if it is refused.
func pointers[Number any](texts []string, read func(string) (Number, bool)) []*Number {
	var numbers []*Number
	for _, text := range texts {
		if number, ok := read(text); ok {
			numbers = append(numbers, &number)
		} else {
			numbers = append(numbers, nil)
		}
	}
	return numbers
}

func amountVector(t *testing.T, c vector) {
	values := read[struct{ Values []string }](t, c.Inputs).Values
	same(t, "fen", pointers(values, bills.ParseFen), read[struct{ Fen []*int64 }](t, c.Expect).Fen)
}

func feeVector(t *testing.T, c vector) {
	values := read[struct{ Values []string }](t, c.Inputs).Values
	same(t, "e5", pointers(values, bills.ParseFee), read[struct{ E5 []*bills.Fee }](t, c.Expect).E5)
}

func rateVector(t *testing.T, c vector) {
	values := read[struct{ Values []string }](t, c.Inputs).Values
	same(t, "ppm", pointers(values, bills.ParseRate), read[struct{ PPM []*int64 }](t, c.Expect).PPM)
}

func feeRuleVector(t *testing.T, c vector) {
	items := read[struct{ Items [][2]string }](t, c.Inputs).Items
	var got []bills.Fee
	for _, item := range items {
		settled, _ := bills.ParseFen(item[0])
		rate, _ := bills.ParseRate(item[1])
		fee, _ := bills.UsualFee(settled, rate)
		got = append(got, fee)
	}
	same(t, "fee_e5", got, read[struct {
		Fees []bills.Fee `json:"fee_e5"`
	}](t, c.Expect).Fees)
}

func dayVector(t *testing.T, c vector) {
	instants := read[struct{ Instants []string }](t, c.Inputs).Instants
	var got []string
	for _, text := range instants {
		got = append(got, string(bills.DayOf(instant(t, text))))
	}
	want := read[struct{ Days []string }](t, c.Expect).Days
	same(t, "days", got, want)
	if slices.Contains(got, "") {
		t.Error("a day is empty")
	}
}
