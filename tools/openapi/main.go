// Command openapi is a plugin of buf's that writes the OpenAPI document. It has protoc-gen-openapiv2 describe the services,
// turns that into OpenAPI 3.0, which has what version 2 has not (Bearer tokens, examples for each answer, answers that
// operations share) and which most generators of clients read, and adds it to base.yaml.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// target is the file that is written.
const target = "susul.openapi.json"

//go:embed base.yaml
var base []byte

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// run answers the request of a plugin.
func run(ctx context.Context, in io.Reader, out io.Writer) error {
	request, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	asked := &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(request, asked); err != nil {
		return err
	}
	made, err := describe(ctx, request)
	if err != nil {
		return err
	}
	d, err := newDocument(ctx, base, made)
	if err != nil {
		return err
	}
	d.tellReasons(asked.GetProtoFile())
	text, err := d.finish(ctx)
	if err != nil {
		return err
	}
	answer, err := proto.Marshal(&pluginpb.CodeGeneratorResponse{
		SupportedFeatures: proto.Uint64(uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)),
		File: []*pluginpb.CodeGeneratorResponse_File{{
			Name: proto.String(target), Content: proto.String(string(text)),
		}},
	})
	if err != nil {
		return err
	}
	_, err = out.Write(answer)
	return err
}

// describe hands the request to protoc-gen-openapiv2 and returns its document as OpenAPI 3.
func describe(ctx context.Context, request []byte) (*openapi3.T, error) {
	plugin := exec.CommandContext(ctx, "go", "tool", "protoc-gen-openapiv2")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(request), os.Stderr
	out, err := plugin.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-openapiv2: %w", err)
	}
	answer := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out, answer); err != nil {
		return nil, err
	}
	if text := answer.GetError(); text != "" {
		return nil, errors.New(text)
	}
	if len(answer.GetFile()) != 1 {
		return nil, fmt.Errorf("protoc-gen-openapiv2 wrote %d files, not 1", len(answer.GetFile()))
	}
	var two openapi2.T
	if err := json.Unmarshal([]byte(answer.GetFile()[0].GetContent()), &two); err != nil {
		return nil, err
	}
	return openapi2conv.ToV3(&two)
}
