package policy

import (
	"fmt"
)

// Compiled is a policy that is ready to match and to render. It is immutable and may be shared; callers must not change
// what they reach through it.
type Compiled struct {
	Policy Policy
	// Steps[i] renders Policy.Steps[i].
	Steps []*CompiledStep

	spec  []byte
	match *match
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
	return c.match.eval(a)
}

// Compile prepares a policy. Its error is an *InvalidError that lists every fault.
func Compile(p Policy) (*Compiled, error) {
	var f faults
	f.head(p)
	c := &Compiled{Policy: p}
	if p.Match != "" && f.text("match", p.Match, maxMatch) {
		m, err := compileMatch(p.Match)
		if err != nil {
			f.add("match", "%s", err)
		}
		c.match = m
	}
	for i, s := range p.Steps[:min(len(p.Steps), MaxSteps)] {
		c.Steps = append(c.Steps, compileStep(s.Content, fmt.Sprintf("steps[%d].content", i), &f))
	}
	if len(f) == 0 {
		c.spec = encoded(p, &f)
	}
	if len(f) > 0 {
		return nil, &InvalidError{Violations: f}
	}
	return c, nil
}

func encoded(p Policy, f *faults) []byte {
	spec, err := p.Encode()
	switch {
	case err != nil:
		f.add("policy", "can't be encoded: %s", err)
	case len(spec) > MaxSize:
		f.add("policy", "is %d bytes of JSON, more than %d", len(spec), MaxSize)
	}
	return spec
}
