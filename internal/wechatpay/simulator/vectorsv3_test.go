package simulator

import (
	"crypto/rsa"
	"encoding/json"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// The requests of the vectors are accepted and refused as they say.
func TestAuthorizationVectors(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile("../testdata/vectors-v3.json")
	g.Expect(err).NotTo(HaveOccurred())
	var vectors struct {
		Keys map[string]struct {
			CertPEM string `json:"certificate_pem"`
			Serial  string `json:"serial_no"`
		} `json:"keys"`
		Cases []struct {
			Name, Kind string
			Inputs     struct {
				Mode, Method, Body, Authorization string
				RequestTarget                     string   `json:"request_target"`
				Now                               int64    `json:"now"`
				KnownCerts                        []string `json:"known_certs"`
			}
			Expect struct{ OK bool }
		}
	}
	g.Expect(json.Unmarshal(content, &vectors)).To(Succeed())
	ran := 0
	for _, v := range vectors.Cases {
		if v.Kind != "authorization" || v.Inputs.Mode != "check" {
			continue
		}
		ran++
		t.Run(v.Name, func(t *testing.T) {
			g := NewWithT(t)
			find := func(_, serial string) *rsa.PublicKey {
				for _, name := range v.Inputs.KnownCerts {
					known, err := readMerchantCertificate([]byte(vectors.Keys[name].CertPEM))
					g.Expect(err).NotTo(HaveOccurred())
					if known.serial == serial {
						return known.key
					}
				}
				return nil
			}
			given, err := parseAuthorization(v.Inputs.Authorization)
			if err == nil {
				err = given.verify(v.Inputs.Method, v.Inputs.RequestTarget, []byte(v.Inputs.Body), time.Unix(v.Inputs.Now, 0), find)
			}
			g.Expect(err == nil).To(Equal(v.Expect.OK), "%v", err)
		})
	}
	g.Expect(ran).To(Equal(9))
}
