package policies

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// The command beside each YAML file creates the same policy.
func TestCommandsCreateWhatTheYAMLSays(t *testing.T) {
	requests, err := All()
	require.NoError(t, err)
	require.Len(t, requests, 2)
	for _, want := range requests {
		t.Run(want.GetResendPolicyId(), func(t *testing.T) {
			script, err := os.ReadFile(want.GetResendPolicyId() + ".sh")
			require.NoError(t, err)
			_, rest, found := strings.Cut(string(script), "<<'JSON'\n")
			require.True(t, found)
			body, _, found := strings.Cut(rest, "\nJSON\n")
			require.True(t, found)
			var got susulv1.CreateResendPolicyRequest
			require.NoError(t, protojson.Unmarshal([]byte(body), &got))
			require.True(t, proto.Equal(want, &got), "want %v\ngot  %v", want, &got)
		})
	}
}
