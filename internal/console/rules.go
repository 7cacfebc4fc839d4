package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	ownGroup = "wechatpay-operator.io"
	// fieldManager is the page's name in managedFields.
	fieldManager = "wechatpay-console"
	// maxPage is the largest page size of a list.
	maxPage = 500
	// maxBody is the largest request body.
	maxBody = 8 << 10
)

// The verbs of the API server.
const (
	verbGet    = "get"
	verbList   = "list"
	verbWatch  = "watch"
	verbPatch  = "patch"
	verbCreate = "create"
)

// kinds are the kinds that the page shows.
var kinds = []string{"orders", "refunds", "shipments", "merchants", "statements"}

// parameters are the permitted query parameters by verb. The other verbs have none.
var parameters = map[string][]string{
	verbList:  {"limit", "continue", "fieldSelector", "includeObject"},
	verbWatch: {"watch", "allowWatchBookmarks", "resourceVersion", "timeoutSeconds", "fieldSelector", "includeObject"},
	verbPatch: {"fieldManager"}, // the value is replaced
}

// call is a parsed request that may be passed on.
type call struct {
	verb      string
	prefix    string // /apis/<group>/<version>, or /api/v1
	namespace string
	resource  string
	name      string
	query     url.Values
}

func (c *call) path() string {
	path := c.prefix
	if c.namespace != "" {
		path += "/namespaces/" + c.namespace
	}
	path += "/" + c.resource
	if c.name != "" {
		path += "/" + c.name
	}
	return path
}

// admit parses a request. It refuses paths, verbs and parameters that the page does not need.
func admit(r *http.Request) (*call, *refusal) {
	// Servers disagree on whether an encoded slash or dot is a separator.
	if r.URL.RawPath != "" || !strings.HasPrefix(r.RequestURI, "/") || strings.Contains(r.RequestURI, "#") {
		return nil, notServed
	}
	if r.Header.Get("Upgrade") != "" || strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
		return nil, notServed
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query can't be read")
	}
	c := &call{query: query}
	segments := strings.Split(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
		r.Method == http.MethodPost && r.URL.Path == "/apis/authentication.k8s.io/v1/selfsubjectreviews":
		c.verb, c.prefix, c.resource = verbCreate, strings.Join(segments[:4], "/"), segments[4]
	default:
		at := slices.Index(segments, "namespaces")
		if at < 1 || len(segments) < at+3 {
			return nil, notServed
		}
		c.prefix, c.namespace, c.resource = strings.Join(segments[:at], "/"), segments[at+1], segments[at+2]
		if refused := c.object(r.Method, segments[at+3:]); refused != nil {
			return nil, refused
		}
	}
	return c, c.restrict()
}

// object decides on requests for objects in a namespace.
func (c *call) object(method string, rest []string) *refusal {
	if len(validation.IsDNS1123Label(c.namespace)) > 0 || len(rest) > 1 {
		return notServed
	}
	if len(rest) == 1 {
		if c.name = rest[0]; len(validation.IsDNS1123Subdomain(c.name)) > 0 {
			return notServed
		}
	}
	switch c.prefix {
	case "/apis/" + ownGroup + "/v1alpha1":
		if !slices.Contains(kinds, c.resource) {
			return notServed
		}
	// Events have two API groups. The core group is used, because the cluster role view grants only that one.
	case "/api/v1":
		if c.resource != "events" || c.name != "" || method != http.MethodGet || c.query.Has("watch") || !aboutOneObject(c.query.Get("fieldSelector")) {
			return notServed
		}
	default:
		return notServed
	}
	switch {
	case method == http.MethodGet && c.name != "":
		c.verb = verbGet
	case method == http.MethodGet && c.query.Has("watch"):
		c.verb = verbWatch
	case method == http.MethodGet:
		c.verb = verbList
	case method == http.MethodPatch && c.resource == "refunds" && c.name != "":
		c.verb = verbPatch
	default:
		return notServed
	}
	return nil
}

// aboutOneObject reports whether a selector of events selects one object. The page does not show all events of a
// namespace.
func aboutOneObject(selector string) bool {
	parsed, err := fields.ParseSelector(selector)
	if err != nil {
		return false
	}
	named := false
	for _, requirement := range parsed.Requirements() {
		if requirement.Operator != selection.Equals && requirement.Operator != selection.DoubleEquals {
			return false // a != selector matches many objects
		}
		switch requirement.Field {
		case "involvedObject.name", "involvedObject.uid":
			named = named || requirement.Value != ""
		case "involvedObject.kind":
		default:
			return false
		}
	}
	return named
}

// restrict limits the query.
func (c *call) restrict() *refusal {
	for name, values := range c.query {
		if !slices.Contains(parameters[c.verb], name) || len(values) != 1 || len(values[0]) > 4096 {
			return badRequest("the query has a parameter that the console does not pass on, has it twice, or it is too long")
		}
	}
	switch c.verb {
	case verbList:
		if limit, err := strconv.Atoi(c.query.Get("limit")); err != nil || limit < 1 || limit > maxPage {
			c.query.Set("limit", strconv.Itoa(maxPage))
		}
	case verbWatch:
		c.query.Set("watch", "1")
	case verbPatch:
		c.query.Set("fieldManager", fieldManager)
	}
	return nil
}
