package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// console prints headings, commands with their output, and remarks, each in its own form.
type console struct {
	out  io.Writer
	step int
}

func newConsole(out io.Writer) *console { return &console{out: out} }

// heading begins a step.
func (c *console) heading(title string) {
	c.step++
	title = fmt.Sprintf("%d. %s", c.step, title)
	fmt.Fprintf(c.out, "\n%s\n%s\n", title, strings.Repeat("=", len([]rune(title))))
}

// say prints a remark of the demo itself.
func (c *console) say(format string, arguments ...any) {
	fmt.Fprintf(c.out, "\n# "+format+"\n", arguments...)
}

// command prints a command as one would type it.
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
	_ = writer.Flush() // as with every other line here, there is nobody to tell if the terminal is gone
}

// quote makes a word safe for a shell, so that what is printed can be typed.
func quote(word string) string {
	const special = " \t\n\"'`$&|;<>(){}[]*?!#~\\"
	if word != "" && !strings.ContainsAny(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
