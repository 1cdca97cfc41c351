// Package policies holds example resend policies: each as YAML, the shape of a CreateResendPolicyRequest, and as the
// grpcurl command that creates it.
package policies

import (
	"embed"
	"fmt"
	"io/fs"

	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

//go:embed *.yaml
var files embed.FS

// All returns the requests that create the example policies, in the order of their file names.
func All() ([]*susulv1.CreateResendPolicyRequest, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	requests := make([]*susulv1.CreateResendPolicyRequest, len(names))
	for i, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		document, err := yaml.YAMLToJSON(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		requests[i] = &susulv1.CreateResendPolicyRequest{}
		if err := protojson.Unmarshal(document, requests[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return requests, nil
}
