package performance

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
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
	Figures []figure `json:"figures"`
}

// begin forgets what an older run measured in a section.
func (r *results) begin(section string) {
	r.Figures = slices.DeleteFunc(r.Figures, func(f figure) bool { return strings.HasPrefix(f.Name, section+"/") })
}

func (r *results) print(section string) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		if strings.HasPrefix(f.Name, section+"/") {
			fmt.Fprintf(table, "    %s\t%s\t%s\t%s\n", f.Name, f.readable(), f.Unit, f.What)
		}
	}
	_ = table.Flush()
}

// readable has three significant digits.
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
	if err == nil {
		err = json.Unmarshal(content, loaded)
	}
	return loaded, err
}

func (r *results) write(file string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	return errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, append(content, '\n'), 0o644))
}
