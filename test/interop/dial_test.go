package interop

import (
	"context"
	"crypto/tls"
	"net"
)

// dialTo connects to one address, whichever is asked for.
func dialTo(dialer *tls.Dialer, address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
}
