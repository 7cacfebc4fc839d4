package sender

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

// publicOnly checks the address that a socket is about to connect to, as the last defence against
// calls to other addresses.
func publicOnly(_, address string, _ syscall.RawConn) error {
	remote, err := netip.ParseAddrPort(address)
	if err != nil || remote.Port() != httpsPort || !callbackprobe.IsPublic(remote.Addr()) {
		return errors.New("only port 443 of public addresses is called")
	}
	return nil
}
