package policy

import (
	"cel.dev/cel-go/cel"

	"susul.dev/susul/server/expression"
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

// conditionEnvironment is what conditions see.
var conditionEnvironment = expression.NewEnvironment(
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
)

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
