package storage

import "fmt"

// Milestone is how far one sending got with one recipient.
type Milestone uint8

// The milestones in the order in which a sending reaches them. Failed stands apart: it implies nothing and nothing
// implies it. MilestoneUnknown marks a status that Susul has no name for; such events are kept and change no progress.
const (
	MilestoneUnknown Milestone = iota
	Sent
	Delivered
	Displayed
	Clicked
	Failed
)

const (
	// MaxSteps is the number of steps that a progress word has room for: the first sending and 11 follow-ups.
	MaxSteps = 12

	milestones    = 5
	allMilestones = 1<<milestones - 1
)

var milestoneNames = [...]string{"UNKNOWN", "SENT", "DELIVERED", "DISPLAYED", "CLICKED", "FAILED"}

// String returns the milestone's name in the vocabulary of the API.
func (m Milestone) String() string {
	if int(m) < len(milestoneNames) {
		return milestoneNames[m]
	}
	return fmt.Sprintf("Milestone(%d)", uint8(m))
}

// Milestones is a set of milestones.
type Milestones uint8

// MilestonesOf returns the set of the given milestones.
func MilestonesOf(ms ...Milestone) Milestones {
	var set Milestones
	for _, m := range ms {
		set |= m.bit()
	}
	return set
}

// Has reports whether m is in the set.
func (s Milestones) Has(m Milestone) bool { return s&m.bit() != 0 }

// Implied returns the set with every milestone that one in it implies: a click was displayed, delivered and sent.
func (s Milestones) Implied() Milestones { return implied[s&allMilestones] }

// implied answers Implied for every set.
var implied = func() (table [allMilestones + 1]Milestones) {
	for i := range table {
		set := Milestones(i)
		for m := Clicked; m > Sent; m-- {
			if set.Has(m) {
				set |= (m - 1).bit()
			}
		}
		table[i] = set
	}
	return table
}()

// bit is the milestone's place in a set; the unknown milestone has none.
func (m Milestone) bit() Milestones {
	if m == MilestoneUnknown || m > Failed {
		return 0
	}
	return 1 << (m - 1)
}

// Progress is what has been reported about one recipient over all steps: five milestone bits for each of twelve
// steps, the first sending in the lowest. Only reported milestones are set; those that they imply are derived.
type Progress uint64

// With returns the progress with the milestone set for the step. The unknown milestone sets nothing.
func (p Progress) With(step int, m Milestone) Progress {
	return p | Progress(m.bit())<<(step*milestones)
}

// At returns the milestones of one step, with those implied.
func (p Progress) At(step int) Milestones {
	return (Milestones(p>>(step*milestones)) & allMilestones).Implied()
}

// Before returns what was reached in the steps before the given one.
func (p Progress) Before(step int) Progress { return p & (1<<(step*milestones) - 1) }

// InAnyStep returns the milestones reached in at least one step, with those implied.
func (p Progress) InAnyStep() Milestones {
	// What a union implies is the union of what its parts imply, so that the twelve steps may be laid over each other first.
	p |= p >> (6 * milestones)
	p |= p >> (3 * milestones)
	p |= p>>milestones | p>>(2*milestones)
	return (Milestones(p) & allMilestones).Implied()
}
