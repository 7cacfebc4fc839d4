package simulation

// Matching returns the entries of a record that match.
func Matching[T any](all []T, wanted func(T) bool) []T {
	var found []T
	for _, one := range all {
		if wanted(one) {
			found = append(found, one)
		}
	}
	return found
}

// First returns the first entry of a record that matches; nil if none does.
func First[T any](all []T, wanted func(*T) bool) *T {
	for i := range all {
		if wanted(&all[i]) {
			return &all[i]
		}
	}
	return nil
}
