package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// decision has the fields of a Refund that the page may change: the decision, and the resourceVersion for which it was
// made.
type decision struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Spec struct {
		Approval        string `json:"approval"`
		ApprovalMessage string `json:"approvalMessage,omitempty"`
	} `json:"spec"`
}

// question asks the API server whether the caller may do something with the page's kinds.
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

// body is the body of a request to the API server: parsed into a type and marshalled again, so that it has only known
// fields and only one interpretation.
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

// read decodes the body. It limits its size and the time for reading it.
func read(w http.ResponseWriter, r *http.Request, into any) *refusal {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(10 * time.Second)) // fails only for httptest.ResponseRecorder
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

// must panics on errors that can't happen: structs of strings can always be marshalled.
func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
