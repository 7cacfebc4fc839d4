package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// console prints headings, commands with their output, and remarks.
type console struct {
	out  io.Writer
	step int
}

func newConsole(out io.Writer) *console { return &console{out: out} }

// heading starts a step.
func (c *console) heading(title string) {
	c.step++
	title = fmt.Sprintf("%d. %s", c.step, title)
	fmt.Fprintf(c.out, "\n%s\n%s\n", title, strings.Repeat("=", len([]rune(title))))
}

// say prints a remark of the demo itself.
func (c *console) say(format string, arguments ...any) {
	fmt.Fprintf(c.out, "\n# "+format+"\n", arguments...)
}

// command prints a command as a user would type it.
func (c *console) command(words ...string) {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	fmt.Fprintf(c.out, "\n$ %s\n", strings.Join(quoted, " "))
}

// output prints what a command printed.
func (c *console) output(text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintln(c.out, text)
	}
}

// table prints rows in columns.
func (c *console) table(rows [][]string) {
	fmt.Fprintln(c.out)
	writer := tabwriter.NewWriter(c.out, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(writer, strings.Join(row, "\t"))
	}
	_ = writer.Flush() // as with all output here, errors of the terminal are ignored
}

// quote quotes a word for a shell, so that the printed command can be typed.
func quote(word string) string {
	const special = " \t\n\"'`$&|;<>(){}[]*?!#~\\"
	if word != "" && !strings.ContainsAny(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
