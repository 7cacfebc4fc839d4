package simulator

import (
	"maps"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestOneConsentIsOneMessage(t *testing.T) {
	f := start(t)
	send := func(changes ...members) Errcode {
		t.Helper()
		body := members{
			"touser": testOpenID, "template_id": "paid", "page": "pages/order", "miniprogram_state": "formal", "lang": "zh_CN",
			"data": members{"thing1": members{"value": "肥皂"}, "amount2": members{"value": "1.01元"}},
		}
		for _, change := range changes {
			maps.Copy(body, change)
		}
		return code(f.call("/cgi-bin/message/subscribe/send", body))
	}
	f.Expect(send()).To(Equal(CodeInvalidOpenID), "nobody has seen this payer")
	f.login(testApp)
	f.Expect(send()).To(Equal(CodeNotSubscribed))
	f.Expect(f.sim.Subscribe(testApp, testOpenID, "paid")).To(Succeed())
	f.Expect(send(members{"template_id": "other"})).To(Equal(CodeInvalidTemplate))
	f.Expect(send(members{"data": members{"thing1": members{"value": "肥皂"}}})).To(Equal(CodeInvalidArgument))
	f.Expect(send(members{"data": members{"thing1": members{"value": strings.Repeat("皂", 21)}, "amount2": members{"value": "1"}}})).To(Equal(CodeInvalidArgument))
	f.Expect(send(members{"miniprogram_state": "x"})).To(Equal(CodeInvalidArgument))
	f.Expect(send()).To(Equal(CodeOK))
	f.Expect(send()).To(Equal(CodeNotSubscribed), "one consent, one message")
	f.Expect(f.sim.Journal().Messages).To(HaveLen(1))
}
