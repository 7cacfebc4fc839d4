// Package printer prints tickets: on a receipt printer by ESC/POS over TCP port 9100, and on an IPP
// Everywhere printer or a CUPS queue by IPP.
package printer

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// Printer prints one ticket at a time.
type Printer interface {
	// Print returns nil when the ticket is on the paper, as far as the printer can tell. After an
	// error it may be or not; job.Begin was called if it may.
	Print(ctx context.Context, t ticket.Ticket, job Job) error
}

// Job is told how far the printing is.
type Job struct {
	// Begin is called before the first byte of the ticket is sent. If it fails, nothing is sent.
	Begin func() error
	// Waits is called when the printer has the ticket and waits for somebody, to put paper in for
	// example. An empty text means that it goes on.
	Waits func(why string)
}

// Options are how tickets look.
type Options struct {
	Columns int
	Zone    *time.Location
	// Font is the file of a font with Chinese characters. IPP needs one.
	Font string
	// Patience is how long a printer may not answer before the attempt counts as failed.
	Patience time.Duration
}

// New returns the printer at an address: tcp://host:9100 for ESC/POS, ipp://host:631/ipp/print or
// ipps:// for IPP. tcp://host:9100?status=none is for printers that answer no status request.
func New(address string, options Options) (Printer, error) {
	if options.Columns < 16 || options.Columns > 128 {
		return nil, fmt.Errorf("%d columns: 32 fit on paper of 58 mm, 48 on paper of 80 mm", options.Columns)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "tcp":
		return newReceipt(u, options)
	case "ipp", "ipps":
		return newIPP(u, options)
	default:
		return nil, fmt.Errorf("%q is no address of a printer: it begins with tcp://, ipp:// or ipps://", address)
	}
}
