package rig

import (
	"fmt"
	"slices"
	"strings"
)

// Choose returns those of a benchmark's cases that --case names, separated by commas; all of them for an empty text.
func Choose[T any](all []T, name func(T) string, names string) ([]T, error) {
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	var chosen []T
	for _, c := range all {
		if slices.Contains(wanted, name(c)) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) != len(wanted) {
		return nil, fmt.Errorf("--case %s: there is no such case", names)
	}
	return chosen, nil
}
