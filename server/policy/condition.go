package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"

	"susul.dev/susul/storage"
)

// Device is what is known of a recipient's device.
type Device struct {
	RegistrationID string
	// Known says that anything is: the rest is empty otherwise.
	Known bool
	// Attributes are what encoding/json makes of JSON; they are read only.
	Attributes map[string]any
	TimeZone   string // IANA
	Locale     string // BCP 47
}

// Subject is what an only_if can ask about a recipient of a step.
type Subject struct {
	RegistrationID string
	// Reached is over all steps, with what it implies.
	Reached storage.Milestones
	// Device is zero for one of which nothing is known.
	Device     Device
	Push       map[string]any
	CustomArgs any
	Step       int
}

// condition is a step's only_if. It is immutable.
type condition struct {
	program    cel.Program
	usesDevice bool
}

// conditionEnv is built once, because it costs milliseconds. It is immutable. Names with a dot in them are what CEL's
// checker knows, so that a misspelt one is found when the policy is written.
var conditionEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("recipient.registration_id", cel.StringType),
		cel.Variable("recipient.sent", cel.BoolType),
		cel.Variable("recipient.delivered", cel.BoolType),
		cel.Variable("recipient.displayed", cel.BoolType),
		cel.Variable("recipient.clicked", cel.BoolType),
		cel.Variable("recipient.failed", cel.BoolType),
		cel.Variable("device.attributes", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("device.time_zone", cel.StringType),
		cel.Variable("device.locale", cel.StringType),
		cel.Variable("device.known", cel.BoolType),
		cel.Variable("push", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("custom_args", cel.DynType),
		cel.Variable("step", cel.IntType),
		cel.ParserExpressionSizeLimit(maxCEL),
		cel.ParserRecursionLimit(100),
	)
})

func compileCondition(source string) (*condition, error) {
	env, err := conditionEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	program, checked, err := compileCEL(env, source)
	if err != nil {
		return nil, err
	}
	c := &condition{program: program}
	for _, reference := range checked.NativeRep().ReferenceMap() {
		c.usesDevice = c.usesDevice || strings.HasPrefix(reference.Name, "device.")
	}
	return c, nil
}

func (c *condition) eval(s Subject) (bool, error) { return evalCEL(c.program, subjectVariables(s)) }

// subjectVariables are a subject as CEL sees it: an expression pays for what it asks, not for all that it could.
type subjectVariables Subject

// Parent implements cel.Activation.
func (subjectVariables) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (s subjectVariables) ResolveName(name string) (any, bool) {
	switch name {
	case "recipient.registration_id":
		return s.RegistrationID, true
	case "recipient.sent":
		return s.Reached.Has(storage.Sent), true
	case "recipient.delivered":
		return s.Reached.Has(storage.Delivered), true
	case "recipient.displayed":
		return s.Reached.Has(storage.Displayed), true
	case "recipient.clicked":
		return s.Reached.Has(storage.Clicked), true
	case "recipient.failed":
		return s.Reached.Has(storage.Failed), true
	case "device.attributes":
		return s.Device.Attributes, true
	case "device.time_zone":
		return s.Device.TimeZone, true
	case "device.locale":
		return s.Device.Locale, true
	case "device.known":
		return s.Device.Known, true
	case "push":
		return s.Push, true
	case "custom_args":
		return s.CustomArgs, true
	case "step":
		return s.Step, true
	}
	return nil, false
}

// compileCEL returns the program of an expression that yields a bool.
func compileCEL(env *cel.Env, source string) (cel.Program, *cel.Ast, error) {
	checked, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, nil, err
	}
	if checked.OutputType() != cel.BoolType {
		return nil, nil, fmt.Errorf("must yield bool, not %s", checked.OutputType())
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCELCost))
	return program, checked, err
}

// evalCEL asks a program of compileCEL.
func evalCEL(program cel.Program, variables any) (bool, error) {
	result, _, err := program.Eval(variables)
	if err != nil {
		return false, err
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, errors.New("the expression did not yield bool")
	}
	return holds, nil
}
