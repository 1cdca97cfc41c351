package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Error is a refused configuration: everything that is wrong with it. It never holds a secret's text.
type Error struct {
	// Faults is never empty; faults of the sources come first, in their order, then those of the whole.
	Faults []Fault
}

// Error lists the faults, one a line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("the configuration cannot be used:")
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.Where + ": " + f.What)
	}
	return b.String()
}

// Fault is one thing to put right.
type Fault struct {
	// Where is the key and, in parentheses, the file, variable or flag that set it.
	Where string
	// What says what is wrong and what to do.
	What string
}

// place is a value in a source.
type place struct {
	source string // the file, variable or flag; "" if the key was not set
	path   string // the key, with list positions; "" for the source as a whole
}

func (p place) key(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	return place{p.source, name}
}

func (p place) index(i int) place {
	return place{p.source, fmt.Sprintf("%s[%d]", p.path, i)}
}

func (p place) String() string {
	switch {
	case p.path == "":
		return p.source
	case p.source == "":
		return p.path
	}
	return p.path + " (" + p.source + ")"
}

// enclosing returns the section or list that holds the value, and in the end the source as a whole.
func (p place) enclosing() place {
	return place{p.source, p.path[:max(strings.LastIndexAny(p.path, ".["), 0)]}
}

// faults gathers what is wrong. A place has one fault at most, and none if what holds it has one: what follows from the
// first would only distract.
type faults struct {
	list []Fault
	seen map[place]bool
}

func (f *faults) add(at place, format string, args ...any) {
	for p := at; p.path != ""; p = p.enclosing() {
		if f.seen[p] {
			return
		}
	}
	f.seen[at] = true
	f.list = append(f.list, Fault{Where: at.String(), What: fmt.Sprintf(format, args...)})
}

// printable returns a key as it was written if it fits into a line of text, and shortened and in quotes if not.
func printable(name string) string {
	const longest = 60
	plain := func(r rune) bool { return r > ' ' && r < 0x7f && r != '"' }
	if name != "" && len(name) <= longest && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return strconv.Quote(name[:min(len(name), longest)])
}

// advice tells what to do about an unknown name: use the closest candidate, if one is close.
func advice(name string, candidates []string) string {
	best, limit := "", 2+len(name)/4
	for _, c := range candidates {
		if abs := len(c) - len(name); abs >= limit || -abs >= limit {
			continue
		}
		if d := distance(name, c); d < limit {
			best, limit = c, d
		}
	}
	if best == "" {
		return "remove it"
	}
	return "did you mean " + best + "?"
}

// distance is the number of bytes to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
