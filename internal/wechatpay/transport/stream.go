package transport

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Stream is an answer whose body is read as it arrives. It is not limited in size or time as a
// whole, but each piece of it has to arrive within the time of an attempt.
type Stream struct {
	Status int
	Header http.Header

	body    io.ReadCloser
	buffer  *bufio.Reader
	attempt *attempt
	cancel  context.CancelFunc
	// idle ends the attempt when no piece arrives.
	idle *time.Timer
}

// peekSize is how many bytes Peek can return.
const peekSize = 4 << 10

// Open makes one attempt, and returns as soon as the body begins. The Stream has to be closed.
func Open(ctx context.Context, client *http.Client, sent Request) (*Stream, *wechatpay.Error) {
	own, cancel := context.WithCancel(ctx)
	attempt := newAttempt(ctx, own, sent)
	idle := time.AfterFunc(sent.Limit, cancel)
	response, err := attempt.do(client, sent) //nolint:bodyclose // the Stream closes it
	if err != nil {
		failure := attempt.failure(err)
		idle.Stop()
		cancel()
		return nil, failure
	}
	s := &Stream{Status: response.StatusCode, Header: response.Header, body: response.Body, attempt: attempt, cancel: cancel, idle: idle}
	s.buffer = bufio.NewReaderSize(timedReader{s}, peekSize)
	return s, nil
}

// Peek returns the beginning of the body, at most 4 KiB, without reading it.
func (s *Stream) Peek(n int) ([]byte, *wechatpay.Error) {
	start, err := s.buffer.Peek(n)
	if failure, ok := errors.AsType[*wechatpay.Error](err); ok {
		return nil, failure
	}
	return start, nil
}

// ReadAll reads the body, at most so many bytes of it, and closes the stream.
func (s *Stream) ReadAll(most int64) ([]byte, *wechatpay.Error) {
	defer func() { _ = s.Close() }()
	body, err := io.ReadAll(io.LimitReader(s.buffer, most))
	if failure, ok := errors.AsType[*wechatpay.Error](err); ok {
		return nil, failure
	}
	return body, nil
}

// Read returns the next piece. Errors other than io.EOF are *wechatpay.Error.
func (s *Stream) Read(into []byte) (int, error) { return s.buffer.Read(into) }

// Close closes the answer, which need not be read to its end.
func (s *Stream) Close() error {
	s.idle.Stop()
	s.cancel()
	return s.body.Close()
}

// timedReader ends the attempt if no piece arrives within its time limit.
type timedReader struct{ stream *Stream }

func (r timedReader) Read(into []byte) (int, error) {
	s := r.stream
	s.idle.Reset(s.attempt.limit)
	n, err := s.body.Read(into)
	if err != nil && s.attempt.own.Err() != nil {
		// We ended it. The remote side may have noticed that and closed the answer properly, so a
		// part of it looks like the whole.
		return n, s.attempt.failure(s.attempt.own.Err())
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, s.attempt.failure(err)
}
