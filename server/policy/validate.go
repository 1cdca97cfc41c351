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
	maxMatch       = 4 << 10
	maxDisplayName = 200
	maxDescription = 2000
	maxApp         = 128

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

// idPattern is never written to.
var idPattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// head checks all but the match and the steps' content, which are checked by compiling them.
func (f *faults) head(p Policy) {
	if !idPattern.MatchString(p.ID) {
		f.add("id", "must match %s", idPattern)
	}
	f.text("app", p.App, maxApp)
	f.text("display_name", p.DisplayName, maxDisplayName)
	f.text("description", p.Description, maxDescription)
	switch p.Trigger.Unless {
	case storage.Delivered, storage.Displayed, storage.Clicked:
	default:
		f.add("trigger.unless", "must be DELIVERED, DISPLAYED or CLICKED, not %s", p.Trigger.Unless)
	}
	if p.Trigger.Within < 0 || p.Trigger.Within > MaxDelay {
		f.add("trigger.within", "must be between 0 and %s", MaxDelay)
	}
	if n := len(p.Steps); n < 1 || n > MaxSteps {
		f.add("steps", "must be between 1 and %d, not %d", MaxSteps, n)
	}
	f.order(p.Steps[:min(len(p.Steps), MaxSteps)])
}

// order checks the steps' times.
func (f *faults) order(steps []Step) {
	for i, s := range steps {
		field := fmt.Sprintf("steps[%d].after", i)
		switch {
		case s.After <= 0 || s.After > MaxDelay:
			f.add(field, "must be more than 0 and at most %s", MaxDelay)
		case i > 0 && s.After <= steps[i-1].After:
			f.add(field, "out of order: %s must be later than the step before (%s)", s.After, steps[i-1].After)
		}
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
