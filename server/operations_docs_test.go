package server_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server"
	"susul.dev/susul/server/servertest"
)

// The page for operators has every metric that a running server can expose, with its labels, and every field of /readyz; and
// no others.
func TestOperatorsPageTellsOfEverythingThatIsTold(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	page := string(text)

	s := servertest.Start(t, servertest.Options{})
	var ours []string
	for name, labels := range s.MetricLabels() {
		if !strings.HasPrefix(name, "susul_") {
			family, _, _ := strings.Cut(name, "_")
			require.Contains(t, page, "`"+family+"_", "of %s", name)
			continue
		}
		row := "| `" + name + "` |  |"
		if labels != "" {
			row = "| `" + name + "` | `" + strings.ReplaceAll(labels, ",", "` `") + "` |"
		}
		ours = append(ours, row)
	}
	require.ElementsMatch(t, ours, regexp.MustCompile("(?m)^\\| `susul_[a-z_]+` \\|[^|]*\\|").FindAllString(page, -1))

	var told []string
	for _, field := range server.ReadinessFields() {
		told = append(told, "| `"+field+"` |")
	}
	readyz, _, _ := strings.Cut(page, "## Metrics")
	require.ElementsMatch(t, told, regexp.MustCompile("(?m)^\\| `[a-z_.]+` \\|").FindAllString(readyz, -1))
}
