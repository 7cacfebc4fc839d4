package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreCounted(t *testing.T) {
	log := `{"verb":"update","objectRef":{"resource":"orders","subresource":"status","namespace":"a","name":"b"}}
{"verb":"update","objectRef":{"resource":"orders","subresource":"status"}}
{"verb":"patch","objectRef":{"resource":"orders"}}
{"verb":"get","objectRef":{"resource":"secrets"}}
{"verb":"watch","objectRef":{"resource":"orders"}}
{"verb":"update","objectRef":{"resource":"leases"}}
{"verb":"get","requestURI":"/api"}
`
	got, err := countRequests(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	want := requests{"update orders/status": 2, "patch orders": 1, "get secrets": 1, "watch orders": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.writes() != 3 || got.reads() != 1 {
		t.Errorf("%v writes, %v reads", got.writes(), got.reads())
	}
	if text := got.describe(2); text != "0.50 patch orders, 1.00 update orders/status" {
		t.Error(text)
	}
	if _, err := countRequests(strings.NewReader("torn")); err == nil {
		t.Error("a line that is no JSON was taken")
	}
}
