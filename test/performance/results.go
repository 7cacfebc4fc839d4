package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

// figure is one thing that was measured.
type figure struct {
	// Name is "<section>/<what>", by which docs and ranges speak of it.
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Unit such as ms, KiB, orders/s; a ratio has "x".
	Unit string `json:"unit"`
	// What it is, in a few words.
	What string `json:"what"`
}

// results are the figures of a run, in the order in which they were measured.
type results struct {
	Machine machine  `json:"machine"`
	Figures []figure `json:"figures"`

	section string
}

// begin forgets what an older run measured in a section.
func (r *results) begin(section string) {
	r.section, r.Machine = section, thisMachine()
	kept := r.Figures[:0]
	for _, f := range r.Figures {
		if !strings.HasPrefix(f.Name, section+"/") {
			kept = append(kept, f)
		}
	}
	r.Figures = kept
}

// add takes a figure of the section.
func (r *results) add(name string, value float64, unit, what string, args ...any) {
	r.Figures = append(r.Figures, figure{Name: r.section + "/" + name, Value: value, Unit: unit, What: fmt.Sprintf(what, args...)})
}

func (r *results) print(to io.Writer, section string) {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		if strings.HasPrefix(f.Name, section+"/") {
			fmt.Fprintf(table, "    %s\t%s\t%s\t%s\n", f.Name, f.readable(), f.Unit, f.What)
		}
	}
	_ = table.Flush()
}

// readable has three digits that count.
func (f figure) readable() string {
	if f.Value == 0 {
		return "0"
	}
	digits := max(2-int(math.Floor(math.Log10(math.Abs(f.Value)))), 0)
	return strconv.FormatFloat(f.Value, 'f', min(digits, 4), 64)
}

func loadResults(file string) (*results, error) {
	loaded := &results{}
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return loaded, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, loaded); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to begin anew", file, err)
	}
	return loaded, nil
}

func (r *results) write(file string) error {
	if file == "" {
		return nil
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}
