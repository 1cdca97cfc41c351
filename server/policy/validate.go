package policy

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"susul.dev/susul/storage"
)

// The limits of a policy. Sizes are in bytes.
const (
	// MaxSteps is the number of follow-ups that a push has room for.
	MaxSteps = storage.MaxSteps - 1
	// MaxDelay bounds Trigger.Within and each Step.After.
	MaxDelay = 30 * 24 * time.Hour
	// MaxSize bounds the encoded policy.
	MaxSize = 512 << 10

	maxTitle       = 1 << 10
	maxAlert       = 4 << 10
	maxOverlay     = 16 << 10
	maxDisplayName = 200
	maxDescription = 2000
	maxApp         = 128
	maxTimeZone    = 64

	minVariants = 2
	maxVariants = 10
	maxWeight   = 1000
	maxHoldout  = 500 // ‰
	maxMessages = 1000
	minWindow   = time.Minute // of a frequency cap and of clicks
	maxExpire   = 60 * 24 * time.Hour
	maxHold     = 7 * 24 * time.Hour
	minSample   = 100
	maxSample   = 100_000_000

	// maxViolations bounds the report about a policy: nobody reads more, and an overlay can hold thousands.
	maxViolations = 100
)

// Violation is one fault of a policy. Field is its path in the API, such as "steps[1].after".
type Violation struct {
	Field       string
	Description string
}

// InvalidError lists every fault of a policy, up to 100.
type InvalidError struct {
	Violations []Violation
}

// Error names all violations.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		texts[i] = v.Field + ": " + v.Description
	}
	return "invalid policy: " + strings.Join(texts, "; ")
}

// Validate returns an *InvalidError that lists every fault of the policy, or nil.
func (p Policy) Validate() error {
	_, err := Compile(p)
	return err
}

// faults collects violations.
type faults []Violation

func (f *faults) add(field, format string, args ...any) {
	if len(*f) < maxViolations {
		*f = append(*f, Violation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
}

// text checks a string's size and encoding, and reports whether it may be looked at further.
func (f *faults) text(field, s string, limit int) bool {
	if len(s) > limit {
		f.add(field, "is %d bytes long, more than %d", len(s), limit)
		return false
	}
	if !utf8.ValidString(s) {
		f.add(field, "is not valid UTF-8")
		return false
	}
	return true
}

// The patterns of names. They are never written to.
var (
	idPattern      = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	variantPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

// holdoutVariant is what reports call those who are held out.
const holdoutVariant = "holdout"

// head checks all but what is checked by compiling it: the match, the steps' conditions and contents.
func (f *faults) head(p Policy) {
	if !idPattern.MatchString(p.ID) {
		f.add("id", "must match %s", idPattern)
	}
	f.text("app", p.App, maxApp)
	f.text("display_name", p.DisplayName, maxDisplayName)
	f.text("description", p.Description, maxDescription)
	f.trigger(p.Trigger)
	if n := len(p.Steps); n < 1 || n > MaxSteps {
		f.add("steps", "must be between 1 and %d, not %d", MaxSteps, n)
	}
	for i := range p.Steps[:min(len(p.Steps), MaxSteps)] {
		f.time(p, i)
		f.groups(p.Steps[i], fmt.Sprintf("steps[%d]", i))
	}
	f.limits(p)
	between(f, "holdout_permille", p.HoldoutPermille, 0, maxHoldout)
	if hold := p.UnknownProgress.HoldFor; hold != nil {
		between(f, "unknown_progress.hold_for", *hold, 0, maxHold)
	}
	if window := p.Measurement.ClickWindow; window != 0 {
		between(f, "measurement.click_window", window, minWindow, MaxDelay)
	}
	if sample := p.Measurement.MinimumSample; sample != 0 {
		between(f, "measurement.minimum_sample", sample, minSample, maxSample)
	}
}

// between checks a number, or a duration.
func between[T int | time.Duration](f *faults, field string, value, least, most T) {
	if value < least || value > most {
		f.add(field, "must be between %v and %v", least, most)
	}
}

func (f *faults) trigger(t Trigger) {
	switch t.Unless {
	case storage.MilestoneUnknown, storage.Delivered, storage.Displayed, storage.Clicked:
		if t.OnFailure == (t.Unless != storage.MilestoneUnknown) {
			f.add("trigger", "give either unless or on_failure")
		}
	default:
		f.add("trigger.unless", "must be DELIVERED, DISPLAYED or CLICKED, not %s", t.Unless)
	}
	between(f, "trigger.within", t.Within, 0, MaxDelay)
}

// time checks when Steps[i] is due.
func (f *faults) time(p Policy, i int) {
	step, field := p.Steps[i], fmt.Sprintf("steps[%d].after", i)
	switch step.Origin {
	case FromTrigger, FromPreviousStep, FromFirstSending:
	default:
		f.add(fmt.Sprintf("steps[%d].counted_from", i), "is unknown: %q", step.Origin)
	}
	switch due := p.Offset(i); {
	case step.After <= 0 || step.After > MaxDelay:
		f.add(field, "must be more than 0 and at most %s", MaxDelay)
	case due < p.Trigger.Within:
		f.add(field, "too early: %s after the first sending is before the trigger's moment (%s)", due, p.Trigger.Within)
	case i > 0 && due <= p.Offset(i-1):
		f.add(field, "out of order: %s after the first sending must be later than the step before (%s)", due, p.Offset(i-1))
	}
}

// groups checks into which groups a step parts its recipients.
func (f *faults) groups(s Step, field string) {
	between(f, field+".holdout_permille", s.HoldoutPermille, 0, maxHoldout)
	if len(s.Variants) == 0 {
		if s.Optimize {
			f.add(field+".optimize", "needs variants")
		}
		return
	}
	between(f, field+".variants", len(s.Variants), minVariants, maxVariants)
	seen := make(map[string]bool)
	for i, v := range s.Variants[:min(len(s.Variants), maxVariants)] {
		variant := fmt.Sprintf("%s.variants[%d]", field, i)
		switch {
		case !variantPattern.MatchString(v.ID) || v.ID == holdoutVariant:
			f.add(variant+".id", "must match %s, and not be %q", variantPattern, holdoutVariant)
		case seen[v.ID]:
			f.add(variant+".id", "%q is an earlier variant's", v.ID)
		}
		seen[v.ID] = true
		between(f, variant+".weight", v.Weight, 0, maxWeight)
	}
}

func (f *faults) limits(p Policy) {
	l := p.Limits
	if q := l.QuietHours; q != nil {
		f.quietHours(*q)
	}
	if c := l.FrequencyCap; c != nil {
		between(f, "limits.frequency_cap.messages", c.Messages, 1, maxMessages)
		between(f, "limits.frequency_cap.window", c.Window, minWindow, MaxDelay)
	}
	between(f, "limits.minimum_gap", l.MinimumGap, 0, MaxDelay)
	between(f, "limits.expire_after", l.ExpireAfter, 0, maxExpire)
	if l.ExpireAfter > 0 && len(p.Steps) > 0 && l.ExpireAfter < p.Offset(0) {
		f.add("limits.expire_after", "is before the first step is due, %s after the first sending", p.Offset(0))
	}
}

func (f *faults) quietHours(q QuietHours) {
	const field = "limits.quiet_hours"
	if !q.From.valid() {
		f.add(field+".start", "must be a time such as 22:00")
	}
	switch {
	case !q.Until.valid():
		f.add(field+".end", "must be a time such as 07:00")
	case q.Until == q.From:
		f.add(field+".end", "must not be the start: leave quiet_hours away for none")
	}
	zone := field + ".default_time_zone"
	if !f.text(zone, q.DefaultTimeZone, maxTimeZone) {
		return
	}
	if !IsTimeZone(q.DefaultTimeZone) {
		f.add(zone, "there is no IANA time zone %q", q.DefaultTimeZone)
	}
}

// overlay checks which members of the push's document an overlay touches. Whom a push goes to and how it is recognised
// is Susul's own business.
func (f *faults) overlay(field string, overlay map[string]any) {
	for _, name := range []string{"to", "callback_url", "request_id"} {
		if _, ok := overlay[name]; ok {
			f.add(field, "may not touch %q", name)
		}
	}
	body, ok := overlay["body"].(map[string]any)
	if _, present := overlay["body"]; present && !ok {
		f.add(field, `"body" must be an object`)
	}
	for path, parent := range map[string]map[string]any{"options": overlay, "body.options": body} {
		value, present := parent["options"]
		options, ok := value.(map[string]any)
		if present && !ok {
			f.add(field, "%q must be an object", path)
		}
		if _, ok := options["cid"]; ok {
			f.add(field, "may not touch %q", path+".cid")
		}
	}
}
