package bills

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
)

// sheet reads what all kinds of bills have: a line of column names, rows, and a summary.
type sheet struct {
	kind  kind
	lines *lines
	// header has the column names as they are in the file, and layout today's names.
	header   []string
	layout   layout
	flags    flagSet
	rejected Lines
	// blank are empty lines, which are part of a broken row unless they end the file.
	blank []int
	// cells are the cells of the row that was read last.
	cells   []string
	summary map[string]string
	// summaryNames are the columns of the summary in their order.
	summaryNames []string
}

// openSheet reads the column names.
func openSheet(text io.Reader, of kind) (*sheet, error) {
	s := &sheet{kind: of, lines: newLines(text)}
	first, err := s.firstLine()
	if err != nil {
		return nil, err
	}
	if IsReply(first) {
		return nil, refuse(ReasonNotABill, "it is an error reply or a web page")
	}
	s.header = readHeader(string(first))
	s.layout = newLayout(renamed(s.header, of.aliases))
	if s.layout.repeated != "" {
		return nil, refuse(ReasonUnknownFormat, "it has the column "+s.layout.repeated+" twice")
	}
	for _, name := range s.layout.names {
		if !slices.Contains(of.known, name) {
			s.flags.add(FlagUnknownColumn)
		}
	}
	return s, nil
}

// firstLine returns the first line that is not empty, without a byte order mark.
func (s *sheet) firstLine() ([]byte, error) {
	for {
		line, err := s.lines.next()
		switch {
		case errors.Is(err, errLineTooLong):
			return nil, refuse(ReasonUnknownFormat, "its first line is too long: something on the way took the line ends out")
		case errors.Is(err, io.EOF):
			return nil, refuse(ReasonNoSummary, "it is empty")
		case err != nil:
			return nil, err
		}
		if s.lines.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if len(bytes.TrimSpace(line)) > 0 {
			return line, nil
		}
	}
}

// IsReply reports whether a text that should be a bill is another kind of document.
func IsReply(start []byte) bool {
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\uFEFF")), " \t\r\n")
	return len(start) > 0 && (start[0] == '<' || start[0] == '{')
}

// row returns the cells of the next row that has the right number of them, with flags about how it was split. It
// returns io.EOF after the summary. The cells are valid until the following call.
func (s *sheet) row() (cells []string, flag Flag, err error) {
	for {
		line, err := s.lines.next()
		switch {
		case errors.Is(err, errLineTooLong):
			s.rejectBlankLines()
			s.reject()
			continue
		case errors.Is(err, io.EOF):
			return nil, "", refuse(ReasonNoSummary, "it ends before its summary: it was cut")
		case err != nil:
			return nil, "", err
		case len(line) == 0:
			s.noteBlankLine()
			continue
		}
		s.rejectBlankLines()
		if line[0] == '`' {
			if cells, flag, ok := s.split(string(line)); ok {
				return cells, flag, nil
			}
		}
		if s.isSummary(line) {
			return nil, "", s.readSummary(string(line))
		}
		s.reject() // it is part of a row that contains a line break
	}
}

// reject records that the line that was read last is not used.
func (s *sheet) reject() { s.rejected.add(s.lines.number) }

// noteBlankLine remembers an empty line until it is known whether another line follows.
func (s *sheet) noteBlankLine() {
	if len(s.blank) < mostLines {
		s.blank = append(s.blank, s.lines.number)
	}
}

func (s *sheet) rejectBlankLines() {
	for _, number := range s.blank {
		s.rejected.add(number)
	}
	s.blank = s.blank[:0]
}

const separator = ",`"

// split splits a row. Values are not quoted, so a merchant's text may contain commas, backticks, and even the
// separator.
func (s *sheet) split(line string) (cells []string, flag Flag, ok bool) {
	width := len(s.layout.names)
	s.cells = appendSplit(s.cells[:0], line[1:], separator)
	switch {
	case len(s.cells) == width:
		return s.cells, "", true
	case len(s.cells) > width:
		return s.splitFromBothEnds()
	}
	s.cells = appendSplit(s.cells[:0], line, ",")
	if len(s.cells) != width {
		return nil, "", false
	}
	for i, cell := range s.cells {
		s.cells[i] = strings.TrimPrefix(cell, "`")
	}
	return s.cells, FlagMissingBacktick, true
}

// splitFromBothEnds reads the columns left and right of the merchant's texts by position. The texts themselves are
// ambiguous then, and are not needed.
func (s *sheet) splitFromBothEnds() (cells []string, flag Flag, ok bool) {
	first, last := s.layout.index(s.kind.firstText), s.layout.index(s.kind.lastText)
	if first < 0 || last < first {
		return nil, "", false
	}
	width := len(s.layout.names)
	copy(s.cells[last+1:width], s.cells[len(s.cells)-(width-last-1):])
	clear(s.cells[first : last+1])
	s.cells = s.cells[:width]
	return s.cells, FlagFreeTextAmbiguous, true
}

func appendSplit(parts []string, text, by string) []string {
	for {
		before, after, found := strings.Cut(text, by)
		parts = append(parts, before)
		if !found {
			return parts
		}
		text = after
	}
}

// isSummary reports whether a line has the column names of the summary.
func (s *sheet) isSummary(line []byte) bool {
	first, _, _ := strings.Cut(string(line), ",")
	return readHeader(first)[0] == s.kind.summaryFirst
}

// readSummary reads the values below the column names, and the end of the file. Lines after the summary are rejected.
func (s *sheet) readSummary(header string) error {
	cut := refuse(ReasonNoSummary, "it ends within its summary: it was cut")
	values, err := s.lines.next()
	if errors.Is(err, io.EOF) || errors.Is(err, errLineTooLong) || err == nil && len(values) == 0 {
		return cut
	}
	if err != nil {
		return err
	}
	s.summaryNames = renamed(readHeader(header), s.kind.summaryAliases)
	s.summary = make(map[string]string, len(s.summaryNames))
	cells := appendSplit(nil, strings.TrimPrefix(string(values), "`"), separator)
	for i, name := range s.summaryNames {
		if len(cells) == len(s.summaryNames) {
			s.summary[name] = strings.TrimSpace(cells[i])
		}
	}
	return s.readToEnd()
}

func (s *sheet) readToEnd() error {
	for {
		line, err := s.lines.next()
		switch {
		case errors.Is(err, errLineTooLong):
			s.reject()
		case err != nil:
			return err // io.EOF if the file is complete
		case len(line) == 0:
			s.noteBlankLine()
		default:
			s.rejectBlankLines()
			s.reject()
		}
	}
}
