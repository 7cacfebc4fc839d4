package sender

import (
	"net"
	"strings"
	"testing"
)

// TestTheSocketLooksAgain: even if a non-public address gets as far as the dialer, no packet is
// sent.
func TestTheSocketLooksAgain(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"8.8.8.8:443": true, "[2400:3200::1]:443": true, "[::ffff:8.8.8.8]:443": true,
		"8.8.8.8:80": false, "127.0.0.1:443": false, "[::1]:443": false, "[::ffff:10.0.0.1]:443": false, "169.254.169.254:443": false,
		"[64:ff9b::a00:1]:443": false, "[fe80::1%lo]:443": false, "0.0.0.0:443": false, "pay.example.com:443": false, "": false,
	} {
		if err := publicOnly("tcp", address, nil); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
	// The default dialer uses the check.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	connection, err := New(Options{}).options.Dial(t.Context(), "tcp", listener.Addr().String())
	if err == nil {
		_ = connection.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "only port 443 of public addresses") {
		t.Errorf("%v", err)
	}
}
