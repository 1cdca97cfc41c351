package policy

import (
	"cel.dev/cel-go/cel"

	"susul.dev/susul/server/expression"
)

// Attributes are what a match can ask about a push. In CEL they are app, plan_id, request_id (strings), custom_args (an
// object or a string, as it came), platform (a list of strings) and extras (a map).
type Attributes struct {
	App        string
	PlanID     string
	RequestID  string
	CustomArgs any
	Platform   []string
	Extras     map[string]any
	External   bool // not made through Susul
}

// matchEnvironment is what matches see.
var matchEnvironment = expression.NewEnvironment(
	cel.Variable("app", cel.StringType),
	cel.Variable("plan_id", cel.StringType),
	cel.Variable("request_id", cel.StringType),
	cel.Variable("custom_args", cel.DynType),
	cel.Variable("platform", cel.ListType(cel.StringType)),
	cel.Variable("extras", cel.MapType(cel.StringType, cel.DynType)),
	cel.Variable("external", cel.BoolType),
)

// variables are the attributes as CEL sees them.
func (a Attributes) variables() map[string]any {
	return map[string]any{
		"app":         a.App,
		"plan_id":     a.PlanID,
		"request_id":  a.RequestID,
		"custom_args": a.CustomArgs,
		"platform":    a.Platform,
		"extras":      a.Extras,
		"external":    a.External,
	}
}
