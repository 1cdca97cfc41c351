package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"susul.dev/susul/server/effect"
)

// Held reports whether the device is in the policy's holdout.
func (p Policy) Held(registrationID string) bool {
	return p.HoldoutPermille > 0 && effect.Unit("policy", p.UID, registrationID) < permille(p.HoldoutPermille)
}

// StepHeld reports whether the device is in the own holdout of a step: 1…. It has nothing to do with the policy's.
func (p Policy) StepHeld(step int, registrationID string) bool {
	held := p.Steps[step-1].HoldoutPermille
	return held > 0 && effect.Unit("step", p.UID, strconv.Itoa(step), registrationID) < permille(held)
}

func permille(n int) float64 { return float64(n) / 1000 }

// StepKey says what is measured of a step, 1…, of a valid policy: steps with equal keys go to the same kind of recipients,
// at the same time, with the same contents, and hold out as many. It is 16 hexadecimal digits.
func (p Policy) StepKey(step int) string {
	s := p.Steps[step-1]
	variants := slices.Clone(s.Variants)
	for i := range variants {
		variants[i].Weight = 0
	}
	b, err := encode(struct {
		Trigger  Trigger
		Offset   time.Duration
		OnlyIf   string
		Contents Contents
		Variants []Variant
		Holdouts [2]int
	}{p.Trigger, p.Offset(step - 1), s.OnlyIf, s.Contents, variants, [2]int{p.HoldoutPermille, s.HoldoutPermille}})
	if err != nil {
		panic(fmt.Sprintf("policy: encode step %d: %v", step, err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// WithMeasurementsOf returns the policy with what only Susul itself sets as it is in current, which the policy is to replace:
// why steps paused themselves, and since when they are measured. Steps are the same if their numbers are.
func (p Policy) WithMeasurementsOf(current Policy) Policy {
	p.Steps = slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].PauseReason, p.Steps[i].MeasuredSince = "", time.Time{}
		if i < len(current.Steps) {
			p.Steps[i].PauseReason, p.Steps[i].MeasuredSince = current.Steps[i].PauseReason, current.Steps[i].MeasuredSince
		}
	}
	return p
}

// resume returns the steps that are to replace the current ones: one that had paused itself and is paused no more is measured anew.
func resume(steps, current []Step, now time.Time) []Step {
	steps = slices.Clone(steps)
	for i := range steps {
		if steps[i].Paused {
			continue
		}
		if i < len(current) && current[i].Paused && current[i].PauseReason != "" {
			steps[i].MeasuredSince = now
		}
		steps[i].PauseReason = ""
	}
	return steps
}
