package simulation

import (
	"net"
	"net/http"
	"time"
)

// DropConnection resets the connection under a request.
func DropConnection(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if wrapped, isTLS := connection.(interface{ NetConn() net.Conn }); isTLS {
		connection = wrapped.NetConn() // no TLS close_notify: the connection is dead
	}
	if tcp, isTCP := connection.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// Hang sends no response until the client gives up or the simulator closes.
func Hang(w http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	DropConnection(w)
}

// Delay waits, in real time: faults are not scaled. It returns false if the client gives up or the simulator closes
// first.
func Delay(r *http.Request, millis int64) bool {
	timer := time.NewTimer(time.Duration(millis) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
