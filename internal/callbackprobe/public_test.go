package callbackprobe_test

import (
	"net/netip"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

func TestAddressesThatAreNeverCalled(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.1.2.3",
		"168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::10.0.0.1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:10.0.0.1",
		"64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:a00:1::", "2001:db8::1", "2002:a00:1::1", "3fff::1",
		"fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "2400:3200::1%eth0", "fec0::1", "ff02::1", "5f00::1", "4000::1",
	} {
		if callbackprobe.IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
	if callbackprobe.IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "101.226.103.106", "172.15.255.255", "172.32.0.1", "192.167.1.1", "223.5.5.5",
		"::ffff:8.8.8.8", "2400:3200::1", "2606:4700::1111", "2001:4860:4860::8888", "2001:200::1"} {
		if !callbackprobe.IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
}
