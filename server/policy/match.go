package policy

import (
	"errors"
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

// maxMatchCost bounds the evaluation of a match, in CEL's cost units: roughly, a unit is one step of the evaluation.
const maxMatchCost = 100_000

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
		cel.ParserExpressionSizeLimit(maxMatch),
		cel.ParserRecursionLimit(100),
	)
})

func compileMatch(source string) (*match, error) {
	env, err := matchEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	ast, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("must yield bool, not %s", ast.OutputType())
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxMatchCost))
	if err != nil {
		return nil, err
	}
	return &match{program}, nil
}

func (m *match) eval(a Attributes) (bool, error) {
	result, _, err := m.program.Eval(map[string]any{
		"app":         a.App,
		"plan_id":     a.PlanID,
		"request_id":  a.RequestID,
		"custom_args": a.CustomArgs,
		"platform":    a.Platform,
		"extras":      a.Extras,
		"external":    a.External,
	})
	if err != nil {
		return false, err
	}
	matched, ok := result.Value().(bool)
	if !ok {
		return false, errors.New("match did not yield bool")
	}
	return matched, nil
}
