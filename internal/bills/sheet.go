package bills

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
)

// sheet takes a bill apart: a line of column names, rows, and a summary.
type sheet struct {
	lines *lines
	// header are the column names as they are in the file, and columns says where those of today are.
	header   []string
	columns  map[string]int
	rejected Lines
	// blank are empty lines, which are part of a broken row unless they end the file.
	blank []int
	// cells are those of the row that was read last.
	cells   []string
	summary map[string]string
	// summaryNames are the columns of the summary in their order.
	summaryNames []string
}

// openSheet reads the column names.
func openSheet(text io.Reader) (*sheet, error) {
	s := &sheet{lines: newLines(text)}
	first, err := s.firstLine()
	if err != nil {
		return nil, err
	}
	if IsReply(first) {
		return nil, refuse(ReasonNotABill, "it is an error reply or a web page")
	}
	s.header = readHeader(string(first))
	s.columns = make(map[string]int, len(s.header))
	for i, name := range renamed(s.header, columnAliases) {
		if s.has(name) {
			return nil, refuse(ReasonUnknownFormat, "it has the column "+name+" twice")
		}
		s.columns[name] = i
	}
	return s, nil
}

// has reports whether the bill has a column. Columns that nothing here asks for are ignored.
func (s *sheet) has(column string) bool {
	_, found := s.columns[column]
	return found
}

// cell returns a value of the row that was read last; empty if the bill has no such column.
func (s *sheet) cell(column string) string {
	if at, found := s.columns[column]; found {
		return s.cells[at]
	}
	return ""
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

// IsReply reports whether a text that should be a bill is a document of another kind instead.
func IsReply(start []byte) bool {
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\uFEFF")), " \t\r\n")
	return len(start) > 0 && (start[0] == '<' || start[0] == '{')
}

// next reads the next row that has the right number of cells. It returns io.EOF after the summary.
func (s *sheet) next() error {
	for {
		line, err := s.lines.next()
		switch {
		case errors.Is(err, errLineTooLong):
			s.rejectBlankLines()
			s.reject()
			continue
		case errors.Is(err, io.EOF):
			return refuse(ReasonNoSummary, "it ends before its summary: it was cut")
		case err != nil:
			return err
		case len(line) == 0:
			s.noteBlankLine()
			continue
		}
		s.rejectBlankLines()
		if line[0] == '`' && s.split(string(line)) {
			return nil
		}
		if s.isSummary(line) {
			return s.readSummary(string(line))
		}
		s.reject() // it is a piece of a row with a line break in it
	}
}

// reject records that the line which was read last is not used.
func (s *sheet) reject() { s.rejected.add(s.lines.number) }

// noteBlankLine remembers an empty line until it is known whether another one follows.
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

// split splits a row, and reports whether it has a cell for each column. Values are not quoted, so a
// merchant's text may hold commas, backticks, and even the separator.
func (s *sheet) split(line string) bool {
	s.cells = slices.AppendSeq(s.cells[:0], strings.SplitSeq(line[1:], separator))
	if surplus := len(s.cells) - len(s.header); surplus >= 0 {
		return surplus == 0 || s.dropTexts()
	}
	// A value that does not begin with a backtick.
	s.cells = s.cells[:0]
	for cell := range strings.SplitSeq(line, ",") {
		s.cells = append(s.cells, strings.TrimPrefix(cell, "`"))
	}
	return len(s.cells) == len(s.header)
}

// dropTexts takes what is left and right of the merchant's texts by position, where these texts hold
// the separator. What the texts are is not known, and nothing needs them.
func (s *sheet) dropTexts() bool {
	first, last := s.columns[columnGoods], s.columns[columnAttach]
	if !s.has(columnGoods) || !s.has(columnAttach) || last < first {
		return false
	}
	width := len(s.header)
	copy(s.cells[last+1:width], s.cells[len(s.cells)-(width-last-1):])
	clear(s.cells[first : last+1])
	s.cells = s.cells[:width]
	return true
}

// isSummary reports whether a line has the column names of the summary.
func (s *sheet) isSummary(line []byte) bool {
	first, _, _ := strings.Cut(string(line), ",")
	return readHeader(first)[0] == summaryCount
}

// readSummary reads the values below the column names, and the end of the file. Lines after the
// summary are rejected.
func (s *sheet) readSummary(header string) error {
	cut := refuse(ReasonNoSummary, "it ends within its summary: it was cut")
	values, err := s.lines.next()
	if errors.Is(err, io.EOF) || errors.Is(err, errLineTooLong) || err == nil && len(values) == 0 {
		return cut
	}
	if err != nil {
		return err
	}
	s.summaryNames = renamed(readHeader(header), summaryAliases)
	s.summary = make(map[string]string, len(s.summaryNames))
	cells := strings.Split(strings.TrimPrefix(string(values), "`"), separator)
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
			return err // io.EOF if all is well
		case len(line) == 0:
			s.noteBlankLine()
		default:
			s.rejectBlankLines()
			s.reject()
		}
	}
}
