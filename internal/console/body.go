package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// decision is what may be changed of a Refund: the answer to it, of the Refund as it was seen.
type decision struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Spec struct {
		Approval        string `json:"approval"`
		ApprovalMessage string `json:"approvalMessage,omitempty"`
	} `json:"spec"`
}

// question asks the API server whether the caller may do something with the kinds of the page.
type question struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		ResourceAttributes struct {
			Namespace string `json:"namespace"`
			Verb      string `json:"verb"`
			Group     string `json:"group"`
			Resource  string `json:"resource"`
			Name      string `json:"name,omitempty"`
		} `json:"resourceAttributes"`
	} `json:"spec"`
}

const whoAmI = `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`

// body is what is sent to the API server: read into a type and written from it again, so that it has one reading and nothing more.
func (c *call) body(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	switch {
	case c.verb == verbPatch:
		if kind := mediaType(r); kind != "application/merge-patch+json" {
			return nil, &refusal{http.StatusUnsupportedMediaType, reasonUnsupported, "a decision is a merge patch (application/merge-patch+json)"}
		}
		var d decision
		if refused := read(w, r, &d); refused != nil {
			return nil, refused
		}
		if d.Metadata.ResourceVersion == "" {
			return nil, badRequest("a decision has to say of which metadata.resourceVersion it is, so that it is of what was seen")
		}
		if d.Spec.Approval != "Approved" && d.Spec.Approval != "Denied" {
			return nil, badRequest("spec.approval has to be Approved or Denied")
		}
		return must(json.Marshal(d)), nil
	case c.resource == "selfsubjectaccessreviews":
		var q question
		if refused := read(w, r, &q); refused != nil {
			return nil, refused
		}
		if q.Spec.ResourceAttributes.Group != ownGroup {
			return nil, badRequest("the console asks about rights on " + ownGroup + " only")
		}
		q.APIVersion, q.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
		return must(json.Marshal(q)), nil
	case c.resource == "selfsubjectreviews":
		return []byte(whoAmI), nil
	}
	return nil, nil
}

// read decodes the body, which is small and arrives soon.
func read(w http.ResponseWriter, r *http.Request, into any) *refusal {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(10 * time.Second)) // what can't have a deadline is a test's recorder
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &refusal{http.StatusRequestEntityTooLarge, reasonTooLarge, "the body is too large"}
	case err != nil:
		return badRequest("the body did not arrive")
	}
	_ = control.SetReadDeadline(time.Time{})
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badRequest("the body is not what the console passes on")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badRequest("something follows the body")
	}
	return nil
}

// must is for what can't fail: structs of strings.
func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
