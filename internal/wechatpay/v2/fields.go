package v2

import (
	"slices"
	"strings"
)

// field is one leaf of a message. Its value is the decoded text, which is what gets signed.
type field struct{ name, value string }

// fields is a whole message, sorted by name in byte order, without duplicate names. Chapter 4_3
// signs in this order, so a message is sorted once and used for signing, verification and lookups.
type fields []field

func newFields(message ...field) fields {
	sorted := fields(message)
	sorted.sort()
	return sorted
}

func (f fields) sort() {
	slices.SortFunc(f, func(a, b field) int { return strings.Compare(a.name, b.name) })
}

// repeatedName returns a name that occurs twice, or "". Parsers that use the first and parsers that
// use the last occurrence would disagree about such a message.
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

// get returns a value, or "" if the field is absent: WeChat Pay treats both the same.
func (f fields) get(name string) string {
	value, _ := f.find(name)
	return value
}
