package bills

import "slices"

// summed is the sum of the rows of a bill in one column of its summary.
type summed struct {
	column string
	value  int64
	// read parses a value of the summary.
	read func(text string) (int64, bool)
	// required: the summary of such a bill has this column.
	required bool
}

// summaryDifferences returns the columns in which the summary differs from the rows, in the order of the file. Required
// columns that the summary lacks follow.
func (s *sheet) summaryDifferences(sums []summed) []string {
	var differ []string
	for _, name := range s.summaryNames {
		at := slices.IndexFunc(sums, func(sum summed) bool { return sum.column == name })
		if at < 0 {
			s.flags.add(FlagUnknownColumn)
			continue
		}
		if said, ok := sums[at].read(s.summary[name]); !ok || said != sums[at].value {
			differ = append(differ, name)
		}
	}
	for _, sum := range sums {
		if sum.required && !slices.Contains(s.summaryNames, sum.column) {
			differ = append(differ, sum.column)
		}
	}
	return differ
}

// readCount reads a count, which may be written like 45.0.
func readCount(text string) (int64, bool) { return scaled(text, 0) }

func readFee(text string) (int64, bool) { return scaled(text, 5) }
