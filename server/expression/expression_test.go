package expression_test

import (
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/expression"
)

var environment = expression.NewEnvironment(
	cel.Variable("a.text", cel.StringType),
	cel.Variable("a.list", cel.ListType(cel.IntType)),
	cel.Variable("b", cel.DynType),
)

func TestCompileRefuses(t *testing.T) {
	for source, want := range map[string]string{
		``:                              "mismatched input",
		`a.text ==`:                     "Syntax error",
		`a.txet == ""`:                  "undeclared reference",
		`a.text`:                        "must yield bool, not string",
		`b`:                             "must yield bool, not dyn",
		`a.text == 1`:                   "no matching overload",
		`"` + strings.Repeat("x", 4096): "size exceeds limit",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): "recursion",
	} {
		_, err := environment.Compile(source)
		require.ErrorContains(t, err, want, source)
	}
}

func TestHolds(t *testing.T) {
	variables := map[string]any{"a.text": "x", "a.list": []int{1}, "b": map[string]any{"c": true}}
	for source, want := range map[string]bool{
		`a.text == "x" && 1 in a.list`:   true,
		`b.c == false`:                   false,
		`has(b.d) && b.d`:                false,
		`a.list.all(i, i > 0) && !b.c`:   false,
		`[a.text, "y"] == ["x", a.text]`: false,
	} {
		x, err := environment.Compile(source)
		require.NoError(t, err, source)
		holds, err := x.Holds(variables)
		require.NoError(t, err, source)
		require.Equal(t, want, holds, source)
	}
	x, err := environment.Compile(`b.d == 1`)
	require.NoError(t, err)
	holds, err := x.Holds(variables)
	require.ErrorContains(t, err, "no such key: d")
	require.False(t, holds)
}

// What looks at its variables once is answered however large they are; what may look many times, or make larger ones, is bounded.
func TestCostIsBounded(t *testing.T) {
	variables := map[string]any{"a.text": strings.Repeat("x", 10<<20), "a.list": make([]int, 1<<20), "b": map[string]any{}}
	for source, bounded := range map[string]bool{
		`a.text.contains("y") || a.text == "x" || size(a.text) == 0`:         false,
		`7 in a.list ? false : a.text.startsWith("x") && a.list[3] == 0`:     false,
		`a.text in ["x", "y"] || a.text >= "y" || has(b.x)`:                  false,
		`a.list.exists(i, i == 7)`:                                           true,
		`a.text + a.text == ""`:                                              true,
		`a.text.matches("y")`:                                                true,
		`(a.text + a.text).contains("y")`:                                    true,
		`a.text == "x" || a.list.map(i, i + 1) == []`:                        true,
		`[1, 2, 3].all(x, [1, 2, 3].all(y, a.text.contains(string(x + y))))`: true,
	} {
		x, err := environment.Compile(source)
		require.NoError(t, err, source)
		_, err = x.Holds(variables)
		if bounded {
			require.ErrorContains(t, err, "cost limit", source)
		} else {
			require.NoError(t, err, source)
		}
	}
}

func TestAsks(t *testing.T) {
	x, err := environment.Compile(`b.text == "a.list" || a.text == ""`)
	require.NoError(t, err)
	require.True(t, x.Asks("a."))
	require.True(t, x.Asks("b"))
	require.False(t, x.Asks("a.list"))
}
