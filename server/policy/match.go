package policy

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
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

// maxCELCost bounds an evaluation, in CEL's cost units: roughly, a unit is one step of it.
const maxCELCost = 100_000

type match struct {
	program cel.Program
}

// matchEnv is built once, because it costs milliseconds. It is immutable.
var matchEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("app", cel.StringType),
		cel.Variable("plan_id", cel.StringType),
		cel.Variable("request_id", cel.StringType),
		cel.Variable("custom_args", cel.DynType),
		cel.Variable("platform", cel.ListType(cel.StringType)),
		cel.Variable("extras", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("external", cel.BoolType),
		cel.ParserExpressionSizeLimit(maxCEL),
		cel.ParserRecursionLimit(100),
	)
})

func compileMatch(source string) (*match, error) {
	env, err := matchEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	program, _, err := compileCEL(env, source)
	if err != nil {
		return nil, err
	}
	return &match{program}, nil
}

func (m *match) eval(a Attributes) (bool, error) {
	return evalCEL(m.program, map[string]any{
		"app":         a.App,
		"plan_id":     a.PlanID,
		"request_id":  a.RequestID,
		"custom_args": a.CustomArgs,
		"platform":    a.Platform,
		"extras":      a.Extras,
		"external":    a.External,
	})
}
