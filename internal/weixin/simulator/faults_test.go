package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// raw uploads and returns what comes, also if it is no answer of WeChat's.
func (f *fixture) raw(number string, client *http.Client) (status int, body string, err error) {
	f.t.Helper()
	token, _ := f.token(false)["access_token"].(string)
	content, err := json.Marshal(f.body(number))
	f.Expect(err).NotTo(HaveOccurred())
	response, err := client.Post(f.sim.URL()+uploadPath+"?access_token="+token, "application/json", bytes.NewReader(content))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func (f *fixture) fault(fault Fault) {
	f.t.Helper()
	fault.Operation, fault.Count = OperationUpload, 1
	_, err := f.sim.AddFault(fault)
	f.Expect(err).NotTo(HaveOccurred())
}

func TestFaults(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	impatient := &http.Client{Transport: f.client.Transport, Timeout: 200 * time.Millisecond}

	f.fault(Fault{Kind: FaultBusy})
	f.Expect(f.upload("order-0001")).To(Equal(CodeBusy))
	f.fault(Fault{Kind: FaultError, Errcode: 10060019, Errmsg: "系统错误"})
	f.Expect(f.upload("order-0001")).To(BeEquivalentTo(10060019))
	f.fault(Fault{Kind: FaultRevoke})
	f.Expect(f.upload("order-0001")).To(Equal(CodeInvalidCredential))
	f.fault(Fault{Kind: FaultHTML})
	status, _, err := f.raw("order-0001", f.client)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(status).To(Equal(http.StatusBadGateway))
	f.fault(Fault{Kind: FaultRedirect, Location: "https://elsewhere.example/"})
	status, _, err = f.raw("order-0001", f.client)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(status).To(Equal(http.StatusFound))
	f.fault(Fault{Kind: FaultDrop})
	_, _, err = f.raw("order-0001", f.client)
	f.Expect(err).To(HaveOccurred())
	f.fault(Fault{Kind: FaultHang})
	_, _, err = f.raw("order-0001", impatient)
	f.Expect(err).To(HaveOccurred())
	f.fault(Fault{Kind: FaultDelay, DelayMillis: 60_000})
	_, _, err = f.raw("order-0001", impatient)
	f.Expect(err).To(HaveOccurred())
	f.Expect(f.sim.Journal().Shippings).To(BeEmpty(), "nothing of this took effect")

	f.fault(Fault{Kind: FaultTruncate})
	_, body, err := f.raw("order-0001", f.client)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(json.Valid([]byte(body))).To(BeFalse())
	f.Expect(f.sim.Journal().Shipping("order-0001").Finished).To(BeTrue())
}

func TestALostAnswerTookEffect(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	f.fault(Fault{Kind: FaultDrop, AfterEffect: true, Number: "order-0001"})
	_, _, err := f.raw("order-0001", f.client)
	f.Expect(err).To(HaveOccurred())
	f.Expect(f.sim.Journal().Shipping("order-0001").Finished).To(BeTrue())
	f.Expect(f.sim.Journal().CallCounts[OperationUpload]).To(Equal(map[string]int{"drop": 1}))
}

func TestAFaultStrikesItsNumberOnly(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	f.known("order-0002")
	f.fault(Fault{Kind: FaultBusy, Number: "order-0002"})
	f.Expect(f.upload("order-0001")).To(Equal(CodeOK))
	f.Expect(f.upload("order-0002")).To(Equal(CodeBusy))
	f.Expect(f.sim.Faults()[0].Struck).To(Equal(1))
	f.sim.ClearFaults("")
	f.Expect(f.sim.Faults()).To(BeEmpty())
}

func TestImpossibleFaults(t *testing.T) {
	f := start(t)
	for _, fault := range []Fault{
		{Operation: "x", Kind: FaultDrop}, {Operation: OperationUpload, Kind: "x"}, {Operation: OperationUpload, Kind: FaultError},
		{Operation: OperationUpload, Kind: FaultRedirect}, {Operation: OperationUpload, Kind: FaultDrop, Count: -1},
	} {
		_, err := f.sim.AddFault(fault)
		f.Expect(errors.Is(err, ErrInvalid)).To(BeTrue(), "%+v", fault)
	}
}
