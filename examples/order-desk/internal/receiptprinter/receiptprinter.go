// Package receiptprinter is a receipt printer for tests: it takes ESC/POS over TCP as strictly as
// tests want it to be taken, and shows in plain text what it has printed. It can be out of paper,
// hang, and break off in the middle of a ticket.
package receiptprinter

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Printer is a receipt printer that listens on an address of its own.
type Printer struct {
	t        testing.TB
	listener net.Listener
	address  string

	mutex   sync.Mutex
	changed *sync.Cond
	// tickets are what was cut off, and paper what hangs out of the printer.
	tickets []string
	paper   bytes.Buffer
	// noPaper, silent and withholds are what is wrong with it.
	noPaper, silent, withholds bool
	// breakAfter is after how many bytes of a ticket it breaks the connection off; 0 never.
	breakAfter  int
	closed      bool
	connections map[net.Conn]bool
}

// Start starts a printer.
func Start(t testing.TB) *Printer {
	p := &Printer{t: t, address: "127.0.0.1:0", connections: map[net.Conn]bool{}}
	p.changed = sync.NewCond(&p.mutex)
	p.SwitchOn()
	t.Cleanup(p.SwitchOff)
	return p
}

// Address returns where it listens, also while it is switched off.
func (p *Printer) Address() string { return p.address }

// SwitchOn makes it listen. What it held when it was switched off is gone.
func (p *Printer) SwitchOn() {
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mutex.Lock()
	p.listener, p.address, p.closed = listener, listener.Addr().String(), false
	p.mutex.Unlock()
	go p.accept(listener)
}

// SwitchOff closes everything.
func (p *Printer) SwitchOff() {
	p.set(func() {
		p.closed = true
		_ = p.listener.Close()
		for connection := range p.connections {
			_ = connection.Close()
		}
		p.paper.Reset()
	})
}

// RunOut takes the paper away, and Refill puts some in.
func (p *Printer) RunOut() { p.set(func() { p.noPaper = true }) }

// Refill puts paper in.
func (p *Printer) Refill() { p.set(func() { p.noPaper = false }) }

// Hang makes it read everything and answer nothing.
func (p *Printer) Hang(hangs bool) { p.set(func() { p.silent = hangs }) }

// Withhold makes it print, and not say that it has.
func (p *Printer) Withhold(withholds bool) { p.set(func() { p.withholds = withholds }) }

// BreakAfter makes it break the connection off after some bytes of a ticket; 0 never.
func (p *Printer) BreakAfter(bytes int) { p.set(func() { p.breakAfter = bytes }) }

func (p *Printer) set(change func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	change()
	p.changed.Broadcast()
}

// Tickets returns the text of what was cut off.
func (p *Printer) Tickets() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.tickets)
}

func (p *Printer) accept(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go p.serve(connection)
	}
}

// serve reads. Status requests are answered at once, everything else is printed in its turn.
func (p *Printer) serve(connection net.Conn) {
	p.set(func() { p.connections[connection] = true })
	input := &buffer{printer: p}
	ended := make(chan struct{})
	go func() { defer close(ended); p.print(input, connection) }()
	var chunk [1024]byte
	var unread []byte
	for {
		n, err := connection.Read(chunk[:])
		unread = append(unread, chunk[:n]...)
		unread = p.answer(connection, unread, input)
		if err != nil {
			break
		}
	}
	p.set(func() { input.ended = true })
	<-ended
	p.set(func() { delete(p.connections, connection) })
	_ = connection.Close()
}

// answer answers the status requests (DLE EOT n) in the input and passes the rest on. It returns what
// may be the beginning of a request.
func (p *Printer) answer(connection net.Conn, content []byte, input *buffer) []byte {
	for {
		at := bytes.IndexByte(content, 0x10)
		if at < 0 {
			p.set(func() { input.content = append(input.content, content...) })
			return nil
		}
		p.set(func() { input.content = append(input.content, content[:at]...) })
		content = content[at:]
		if len(content) < 3 {
			return content
		}
		p.mutex.Lock()
		answer, silent := byte(0x12), p.silent
		if p.noPaper && content[2] == 2 {
			answer |= 0x20
		}
		if p.noPaper && content[2] == 4 {
			answer |= 0x60
		}
		p.mutex.Unlock()
		if content[1] != 4 || content[2] < 1 || content[2] > 4 {
			p.t.Errorf("the printer does not know the request % x", content[:3])
		}
		if !silent {
			_, _ = connection.Write([]byte{answer})
		}
		content = content[3:]
	}
}

// buffer is what a connection has sent and what is not printed yet.
type buffer struct {
	printer *Printer
	content []byte
	taken   int
	ended   bool
}

// next returns the next byte, once there is one and paper to print it on.
func (b *buffer) next() (byte, error) {
	p := b.printer
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for {
		switch {
		case p.closed || b.ended && len(b.content) == 0:
			return 0, io.EOF
		case p.breakAfter > 0 && b.taken >= p.breakAfter:
			return 0, io.ErrUnexpectedEOF
		case len(b.content) > 0 && !p.noPaper && !p.silent:
			next := b.content[0]
			b.content = b.content[1:]
			b.taken++
			return next, nil
		}
		p.changed.Wait()
	}
}

// lengths are how many bytes follow each two bytes of a command.
var lengths = map[string]int{"\x1b@": 0, "\x1c&": 0, "\x1ba": 1, "\x1bE": 1, "\x1d!": 1, "\x1c!": 1, "\x1dV": 2, "\x1dr": 1}

// print prints until the connection ends. Whatever is no command and no text of GB18030 fails the
// test.
func (p *Printer) print(input *buffer, connection net.Conn) {
	for {
		first, err := input.next()
		if err != nil {
			if err == io.ErrUnexpectedEOF { //nolint:errorlint // it is the one above
				_ = connection.Close()
			}
			return
		}
		switch {
		case first == 0:
		case first == '\n' || first >= ' ' && first < 0x7f:
			p.set(func() { p.paper.WriteByte(first) })
		case first > 0x80 && first < 0xff:
			second, err := input.next()
			if err != nil {
				return
			}
			text, err := simplifiedchinese.GB18030.NewDecoder().Bytes([]byte{first, second})
			if err != nil || strings.ContainsRune(string(text), '\ufffd') {
				p.t.Errorf("% x is no character of two bytes", []byte{first, second})
			}
			p.set(func() { p.paper.Write(text) })
		case first == 0x1b || first == 0x1c || first == 0x1d:
			if err := p.obey(first, input, connection); err != nil {
				return
			}
		default:
			p.t.Errorf("the printer got the control character %#02x", first)
		}
	}
}

// obey carries out a command.
func (p *Printer) obey(first byte, input *buffer, connection net.Conn) error {
	second, err := input.next()
	if err != nil {
		return err
	}
	command := string([]byte{first, second})
	length, known := lengths[command]
	if !known {
		p.t.Errorf("the printer does not know the command %q", command)
		return io.EOF
	}
	for range length {
		if _, err := input.next(); err != nil {
			return err
		}
	}
	switch command {
	case "\x1b@": // what a broken-off ticket has left stays on the paper, above the next one
	case "\x1dV":
		p.set(func() { p.tickets = append(p.tickets, p.paper.String()); p.paper.Reset() })
	case "\x1dr":
		p.mutex.Lock()
		for p.withholds && !p.closed && !input.ended {
			p.changed.Wait()
		}
		p.mutex.Unlock()
		_, _ = connection.Write([]byte{0})
	}
	return nil
}
