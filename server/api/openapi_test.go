package api_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every RPC can be called over REST, but for streams of requests, and the OpenAPI file has every path that the gateway serves.
func TestOpenAPIListsEveryCall(t *testing.T) {
	data, err := os.ReadFile("../../gen/openapi/susul.swagger.json")
	require.NoError(t, err)
	var file struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	require.NoError(t, json.Unmarshal(data, &file))
	operations := map[string]string{}
	for path, verbs := range file.Paths {
		for verb, operation := range verbs {
			operations[operation.OperationID] = strings.ToUpper(verb) + " " + path
		}
	}
	for _, method := range allMethods() {
		if method.IsStreamingClient() {
			continue // HTTP/1 has nothing of the kind
		}
		verb, path, _ := httpRule(method)
		require.NotEmpty(t, path, method.FullName())
		id := string(method.Parent().Name()) + "_" + string(method.Name())
		listed, found := operations[id]
		require.True(t, found, "%s is not in the file", id)
		require.True(t, strings.HasPrefix(listed, verb+" /v1/"), listed)
		_, custom, _ := strings.Cut(path[strings.LastIndex(path, "}")+1:], "/")
		require.True(t, strings.HasSuffix(listed, custom), "%s, %s", listed, path)
		delete(operations, id)
	}
	require.Empty(t, operations, "the file has more than there is")
}
