// Package expression compiles and asks CEL expressions that yield a bool, within bounds: of their text, and of what an answer costs.
package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

const (
	// MaxSize bounds an expression, in bytes.
	MaxSize = 4 << 10

	// maxCost bounds an evaluation, in CEL's cost units: roughly, a unit is one step of it.
	maxCost = 100_000

	maxDepth = 100
)

// Environment is the variables that expressions can ask. It is immutable. Names with a dot in them are what CEL's checker knows, so that
// a misspelt one is found when the expression is written.
type Environment struct {
	cel func() (*cel.Env, error)
}

// NewEnvironment returns an environment. It is built when it is first used, because that costs milliseconds.
func NewEnvironment(variables ...cel.EnvOption) *Environment {
	return &Environment{sync.OnceValues(func() (*cel.Env, error) {
		return cel.NewEnv(append(variables, cel.ParserExpressionSizeLimit(MaxSize), cel.ParserRecursionLimit(maxDepth))...)
	})}
}

// Expression is a compiled expression. It is immutable.
type Expression struct {
	program    cel.Program
	references []string
}

// Compile compiles an expression. The error says what is wrong with it, and where.
func (e *Environment) Compile(source string) (*Expression, error) {
	env, err := e.cel()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	checked, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("must yield bool, not %s", checked.OutputType())
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if !plain(checked) {
		options = append(options, cel.CostLimit(maxCost))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, err
	}
	x := &Expression{program: program}
	for _, reference := range checked.NativeRep().ReferenceMap() {
		x.references = append(x.references, reference.Name)
	}
	return x, nil
}

// plain reports whether the expression is of calls alone that take no more than one look at what they are given, so that the expression's
// size bounds what an answer costs. To count the cost of such an answer would cost several times as much as the answer.
func plain(checked *cel.Ast) bool {
	is := true
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			is = false
		case ast.CallKind:
			is = is && slices.Contains(plainCalls, e.AsCall().FunctionName())
		}
	}))
	return is
}

// plainCalls is never written to.
var plainCalls = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
	operators.In, operators.Index, overloads.StartsWith, overloads.EndsWith, overloads.Contains, overloads.Size,
}

// Holds asks the expression about variables, a cel.Activation or a map by name. An error says that it can't be evaluated, and does not
// hold.
func (x *Expression) Holds(variables any) (bool, error) {
	result, _, err := x.program.Eval(variables)
	if err != nil {
		return false, err
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, errors.New("the expression did not yield bool")
	}
	return holds, nil
}

// Asks reports whether the expression refers to a variable whose name begins with prefix.
func (x *Expression) Asks(prefix string) bool {
	for _, name := range x.references {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
