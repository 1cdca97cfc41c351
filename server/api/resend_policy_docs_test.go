package api_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// yamlBlock is one block of YAML on a page of documentation; never written to.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Every policy that the documentation shows can be created as it stands there.
func (w world) TestDocumentedPolicies(t *testing.T) {
	page, err := os.ReadFile("../../docs/resend-policies.md")
	require.NoError(t, err)
	blocks := yamlBlock.FindAllSubmatch(page, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		document, err := yaml.YAMLToJSON(block[1])
		require.NoError(t, err)
		request := &susulv1.CreateResendPolicyRequest{}
		require.NoError(t, protojson.Unmarshal(document, request), "%s", block[1])
		request.ResendPolicy.Paused = true // the tests beside this one send pushes
		t.Run(request.GetResendPolicyId(), func(t *testing.T) {
			_, outcome := w.grpc(t, asAdmin, request)
			require.Zero(t, outcome)
		})
	}
}
