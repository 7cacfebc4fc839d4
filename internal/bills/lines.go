package bills

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// longestLine is far longer than any row: its longest value has 2048 characters. A longer line is skipped without being
// held in memory.
const longestLine = 64 << 10

// errLineTooLong: the line was skipped, and the next one can be read.
var errLineTooLong = errors.New("the line is too long")

// lines reads a text line by line. Lines end with LF or CRLF, and the last one may have no end.
type lines struct {
	reader *bufio.Reader
	// number counts the lines that were read, from 1.
	number int
}

func newLines(text io.Reader) *lines {
	return &lines{reader: bufio.NewReaderSize(text, longestLine)}
}

// next returns the next line without its line end. It is valid until the following call.
func (l *lines) next() ([]byte, error) {
	line, err := l.reader.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, l.skip()
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	l.number++
	if !utf8.Valid(line) {
		return nil, refuse(ReasonNotUTF8, "it is not UTF-8 text")
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// skip goes to the end of a line that is too long. Its encoding is not checked, because the row is lost anyway.
func (l *lines) skip() error {
	for {
		_, err := l.reader.ReadSlice('\n')
		switch {
		case err == nil, errors.Is(err, io.EOF):
			l.number++
			return errLineTooLong
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
