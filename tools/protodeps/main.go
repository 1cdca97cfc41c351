// Command protodeps writes the .proto files that ours import into a folder, for buf to find there.
// They are printed from the descriptors that Go packages carry, so they come through the Go module proxy, pinned and
// verified by go.sum, and their go_package options name the very packages that the generated code will import.
// The comments of the originals are not in descriptors. google/protobuf/… is left out: buf has it built in.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	openapi "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2/options"
	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protodeps FOLDER")
		os.Exit(2)
	}
	if err := writeAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

// roots are the files that ours may import; what these import in turn is written as well.
func roots() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		validate.File_buf_validate_validate_proto,
		annotations.File_google_api_annotations_proto,
		annotations.File_google_api_client_proto,
		annotations.File_google_api_field_behavior_proto,
		annotations.File_google_api_field_info_proto,
		annotations.File_google_api_resource_proto,
		code.File_google_rpc_code_proto,
		errdetails.File_google_rpc_error_details_proto,
		status.File_google_rpc_status_proto,
		openapi.File_protoc_gen_openapiv2_options_annotations_proto,
	}
}

func writeAll(folder string) error {
	printer := protoprint.Printer{SortElements: true} // sorted, so that the same descriptors give the same bytes
	written := map[string]bool{}
	pending := roots()
	for len(pending) > 0 {
		file := pending[0]
		pending = pending[1:]
		if written[file.Path()] || strings.HasPrefix(file.Path(), "google/protobuf/") {
			continue
		}
		written[file.Path()] = true
		if err := write(&printer, file, filepath.Join(folder, filepath.FromSlash(file.Path()))); err != nil {
			return fmt.Errorf("%s: %w", file.Path(), err)
		}
		imports := file.Imports()
		for i := range imports.Len() {
			pending = append(pending, imports.Get(i).FileDescriptor)
		}
	}
	return nil
}

func write(printer *protoprint.Printer, file protoreflect.FileDescriptor, path string) error {
	text, err := printer.PrintProtoToString(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
