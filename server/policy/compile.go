package policy

import (
	"fmt"

	"susul.dev/susul/server/expression"
	"susul.dev/susul/storage"
)

// Compiled is a policy that is ready to match and to render. It is immutable and may be shared; callers must not change
// what they reach through it.
type Compiled struct {
	Policy Policy
	// Steps[i] is Policy.Steps[i].
	Steps []*CompiledStep

	spec  []byte
	match *expression.Expression // nil matches nothing
}

// Spec is the policy's encoding, to be pinned to a push.
func (c *Compiled) Spec() []byte { return c.spec }

// For reports whether the policy may be used for pushes of the app.
func (c *Compiled) For(app string) bool { return c.Policy.App == "" || c.Policy.App == app }

// Matches reports whether the policy's match is true for a push. An expression that can't be evaluated does not match;
// the error says why.
func (c *Compiled) Matches(a Attributes) (bool, error) {
	if c.match == nil {
		return false, nil
	}
	return c.match.Holds(a.variables())
}

// CompiledStep is a step's condition and contents. It is immutable.
type CompiledStep struct {
	condition  *expression.Expression // nil is true for everybody
	variants   []*CompiledVariant
	usesDevice bool
}

// Conditional reports whether the step has an only_if.
func (s *CompiledStep) Conditional() bool { return s.condition != nil }

// Holds reports whether the step's only_if is true for a recipient. An error says that it can't be evaluated, for want of
// an attribute for example, and does not hold.
func (s *CompiledStep) Holds(subject Subject) (bool, error) {
	if s.condition == nil {
		return true, nil
	}
	return s.condition.Holds(subjectVariables(subject))
}

// UsesDevice reports whether the only_if or any content refers to more of a device than its registration id.
func (s *CompiledStep) UsesDevice() bool { return s.usesDevice }

// Variants returns the step's variants, at least one: a step without has one with an empty ID. The slice is shared and
// must not be changed.
func (s *CompiledStep) Variants() []*CompiledVariant { return s.variants }

// CompiledVariant is the contents of one variant. It is immutable.
type CompiledVariant struct {
	ID     string
	Weight int // relative to the other variants'; all 0 are equal

	content, neverDelivered, deliveredNotDisplayed, displayedNotClicked *CompiledContent // never nil

	plain *Rendered
}

// For returns the content for a recipient by what it has reached in any step, with what that implies. One of a variant that
// says nothing about such recipients leaves the push as it is.
func (v *CompiledVariant) For(reached storage.Milestones) *CompiledContent {
	switch {
	case reached.Has(storage.Clicked):
		return v.content
	case reached.Has(storage.Displayed):
		return v.displayedNotClicked
	case reached.Has(storage.Delivered):
		return v.deliveredNotDisplayed
	default:
		return v.neverDelivered
	}
}

// Plain returns what those get for whom a template fails; false means the text of the first sending.
func (v *CompiledVariant) Plain() (Rendered, bool) {
	if v.plain == nil {
		return Rendered{}, false
	}
	return *v.plain, true
}

// Compile prepares a policy. Its error is an *InvalidError that lists every fault.
func Compile(p Policy) (*Compiled, error) {
	var f faults
	f.head(p)
	c := &Compiled{Policy: p}
	if p.Match != "" && f.text("match", p.Match, expression.MaxSize) {
		m, err := matchEnvironment.Compile(p.Match)
		if err != nil {
			f.add("match", "%s", err)
		}
		c.match = m
	}
	spec, err := p.Encode()
	if len(spec) > MaxSize {
		f.add("policy", "is %d bytes of JSON, more than %d", len(spec), MaxSize)
		return nil, &InvalidError{Violations: f} // its templates may be too many to look at
	}
	for i, s := range p.Steps[:min(len(p.Steps), MaxSteps)] {
		c.Steps = append(c.Steps, compileStep(s, fmt.Sprintf("steps[%d]", i), &f))
	}
	if len(f) == 0 && err != nil {
		f.add("policy", "can't be encoded: %s", err)
	}
	if len(f) > 0 {
		return nil, &InvalidError{Violations: f}
	}
	c.spec = spec
	return c, nil
}

// compileStep compiles what is in a step. The result is of use only if no faults were found.
func compileStep(s Step, field string, f *faults) *CompiledStep {
	step := &CompiledStep{}
	if s.OnlyIf != "" && f.text(field+".only_if", s.OnlyIf, expression.MaxSize) {
		condition, err := conditionEnvironment.Compile(s.OnlyIf)
		if err != nil {
			f.add(field+".only_if", "%s", err)
		} else {
			step.condition, step.usesDevice = condition, condition.Asks("device.")
		}
	}
	if len(s.Variants) == 0 {
		step.add(Variant{Contents: s.Contents}, field, f)
		return step
	}
	if s.Contents != (Contents{}) {
		f.add(field, "give either content, content_by_progress and plain_content, or variants")
	}
	for i, v := range s.Variants[:min(len(s.Variants), maxVariants)] {
		step.add(v, fmt.Sprintf("%s.variants[%d]", field, i), f)
	}
	return step
}

// add compiles one of the step's variants.
func (s *CompiledStep) add(v Variant, field string, f *faults) {
	if v.Content == nil && v.NeverDelivered == nil && v.DeliveredNotDisplayed == nil && v.DisplayedNotClicked == nil {
		f.add(field, "needs content, or content_by_progress")
	}
	compile := func(c *Content, name string, otherwise *CompiledContent) *CompiledContent {
		if c == nil {
			return otherwise
		}
		compiled := compileContent(*c, field+name, false, f)
		s.usesDevice = s.usesDevice || compiled.usesDevice
		return compiled
	}
	variant := &CompiledVariant{ID: v.ID, Weight: v.Weight}
	variant.content = compile(v.Content, ".content", unchanged)
	variant.neverDelivered = compile(v.NeverDelivered, ".content_by_progress.never_delivered", variant.content)
	variant.deliveredNotDisplayed = compile(v.DeliveredNotDisplayed, ".content_by_progress.delivered_not_displayed", variant.content)
	variant.displayedNotClicked = compile(v.DisplayedNotClicked, ".content_by_progress.displayed_not_clicked", variant.content)
	if v.Plain != nil {
		before := len(*f)
		compiled := compileContent(*v.Plain, field+".plain_content", true, f)
		if len(*f) == before {
			rendered, err := compiled.Render(Variables{})
			if err != nil {
				f.add(field+".plain_content", "%s", err)
			}
			variant.plain = &rendered
		}
	}
	s.variants = append(s.variants, variant)
}

// unchanged is the content that leaves a push as it is. It is never written to.
var unchanged = &CompiledContent{title: &template{}, alert: &template{}}
