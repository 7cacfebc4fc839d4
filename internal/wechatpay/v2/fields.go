package v2

import (
	"slices"
	"strings"
)

// A field is one leaf of a message. Its value is the decoded text, which is what is signed.
type field struct{ name, value string }

// fields is a whole message, sorted by name in byte order, no name twice. That is the order that chapter 4_3 signs
// in, so a message is sorted once, however often it is signed, verified or looked into.
type fields []field

func newFields(message ...field) fields {
	sorted := fields(message)
	sorted.sort()
	return sorted
}

func (f fields) sort() {
	slices.SortFunc(f, func(a, b field) int { return strings.Compare(a.name, b.name) })
}

// repeatedName returns a name that occurs twice, or "". Readers that take the first and readers that take the last
// would disagree about such a message.
func (f fields) repeatedName() string {
	for i := 1; i < len(f); i++ {
		if f[i].name == f[i-1].name {
			return f[i].name
		}
	}
	return ""
}

func (f fields) find(name string) (value string, present bool) {
	i, present := slices.BinarySearchFunc(f, name, func(e field, name string) int { return strings.Compare(e.name, name) })
	if !present {
		return "", false
	}
	return f[i].value, true
}

// get returns a value, or "" when the field is absent: WeChat means the same by both.
func (f fields) get(name string) string {
	value, _ := f.find(name)
	return value
}
