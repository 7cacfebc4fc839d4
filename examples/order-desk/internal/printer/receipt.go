package printer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// Status requests of ESC/POS. The printer answers DLE EOT at once, even while it can't print, and
// GS r in its turn, when everything that was sent before is printed.
var (
	askCause = []byte("\x10\x04\x02")
	askPaper = []byte("\x10\x04\x04")
	askDone  = []byte("\x1dr\x01")
)

// Bits of the answers.
const (
	// kind tells the answers to DLE EOT (isStatus), and those to GS r (0), from what a printer may
	// send by itself.
	kind     = 0x93
	isStatus = 0x12
	notDone  = 0x90

	coverOpen    = 0x04
	paperStopped = 0x20
	failed       = 0x40
	paperEnd     = 0x60
)

const (
	// mostUnasked is how many bytes that are no answer are skipped.
	mostUnasked = 64
	// mostHealthy is how often a printer may say that nothing is wrong before a ticket whose end it
	// has not reported counts as lost.
	mostHealthy = 3
	// linger is how long a connection stays open after a ticket for a printer that answers nothing.
	linger = time.Second
)

// receipt is a receipt printer.
type receipt struct {
	address string
	options Options
	// silent printers answer no status request, so that a ticket counts as printed when it is sent.
	silent bool
}

func newReceipt(u *url.URL, options Options) (Printer, error) {
	if u.Hostname() == "" {
		return nil, errors.New("tcp:// needs a host")
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "9100")
	}
	status := u.Query().Get("status")
	if status != "" && status != "none" {
		return nil, fmt.Errorf("status=%s: there is status=none only, for printers that answer no status request", status)
	}
	return &receipt{address: address, options: options, silent: status == "none"}, nil
}

// Print sends a ticket and waits until the printer says that it is printed.
func (p *receipt) Print(ctx context.Context, t ticket.Ticket, job Job) error {
	dialer := net.Dialer{Timeout: p.options.Patience}
	connection, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return fmt.Errorf("the printer can't be reached: %w", err)
	}
	defer func() { _ = connection.Close() }()
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()
	session := &session{connection: connection, patience: p.options.Patience}
	if !p.silent {
		if err := session.mustBeReady(); err != nil {
			return err
		}
	}
	if err := job.Begin(); err != nil {
		return err
	}
	rows := t.Layout(p.options.Columns, p.options.Zone, ticket.ForReceipt)
	if err := session.send(ticket.ESCPOS(rows)); err != nil {
		return err
	}
	if p.silent {
		return session.finish()
	}
	return session.awaitDone(job.Waits)
}

// session is a connection to a receipt printer.
type session struct {
	connection net.Conn
	patience   time.Duration
}

func (s *session) send(content []byte) error {
	if err := s.connection.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return err
	}
	if _, err := s.connection.Write(content); err != nil {
		return fmt.Errorf("the printer does not take the data: %w", err)
	}
	return nil
}

// receive returns the next byte that the printer sends.
func (s *session) receive(patience time.Duration) (byte, error) {
	if err := s.connection.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	var answer [1]byte
	_, err := s.connection.Read(answer[:])
	return answer[0], err
}

// mustBeReady fails if the printer says that it can't print. Nothing of the ticket was sent then.
func (s *session) mustBeReady() error {
	for _, question := range [][]byte{askCause, askPaper} {
		if err := s.send(question); err != nil {
			return err
		}
		answer, err := s.receive(s.patience)
		for skipped := 0; err == nil && answer&kind != isStatus && skipped < mostUnasked; skipped++ {
			answer, err = s.receive(s.patience)
		}
		if err != nil {
			return fmt.Errorf("the printer does not answer a status request (add ?status=none for one that never does): %w", err)
		}
		if problem := explain(question, answer); problem != "" {
			return errors.New(problem)
		}
	}
	return nil
}

// explain says why the printer can't print; empty if it can.
func explain(question []byte, answer byte) string {
	switch {
	case answer&kind != isStatus:
		return fmt.Sprintf("the printer answers a status request with 0x%02x, which is no status", answer)
	case question[2] == askPaper[2] && answer&paperEnd != 0, question[2] == askCause[2] && answer&paperStopped != 0:
		return "the printer is out of paper"
	case question[2] == askPaper[2]:
		return ""
	case answer&coverOpen != 0:
		return "the cover of the printer is open"
	case answer&failed != 0:
		return "the printer reports an error"
	default:
		return ""
	}
}

// awaitDone waits until the ticket is printed. A printer that is out of paper keeps what it has and
// prints the rest afterwards, so it is waited for as long as it says so, without a second ticket.
func (s *session) awaitDone(waits func(string)) error {
	if err := s.send(askDone); err != nil {
		return err
	}
	asked, healthy := false, 0
	for {
		answer, err := s.receive(s.patience)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !asked:
			asked = true
			if err := s.send(askCause); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("the printer does not say that it has printed: %w", err)
		case answer&notDone == 0:
			waits("")
			return nil
		case answer&kind == isStatus && asked:
			asked = false
			problem := explain(askCause, answer)
			waits(problem)
			if problem != "" {
				healthy = 0
			} else if healthy++; healthy >= mostHealthy {
				return errors.New("the printer says that nothing is wrong, and not that it has printed: it may have lost the ticket")
			}
		}
	}
}

// finish closes the connection so that what was sent is delivered. A printer that answers nothing may
// keep it open.
func (s *session) finish() error {
	if half, ok := s.connection.(*net.TCPConn); ok {
		if err := half.CloseWrite(); err != nil {
			return fmt.Errorf("the printer does not take the data: %w", err)
		}
	}
	_, err := s.receive(linger)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("the printer broke the connection off: %w", err)
}
