package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/protobuf/types/descriptorpb"
)

// singular names what a collection's path parameter stands for.
var singular = map[string]string{
	"apps": "app", "deadLetters": "dead_letter", "devices": "device", "pushes": "push", "recipients": "recipient",
	"relayEndpoints": "relay_endpoint", "replays": "replay", "resendPolicies": "resend_policy", "subscriptions": "subscription",
}

// mediaType is that of all bodies.
const mediaType = "application/json"

// adminsOnly is the service whose calls apps may not make.
const adminsOnly = "ResendPolicyService"

// document is what becomes of base.yaml.
type document struct {
	*openapi3.T
}

// newDocument adds what was made of the protos to the base.
func newDocument(ctx context.Context, base []byte, made *openapi3.T) (*document, error) {
	loader := openapi3.NewLoader()
	loader.Context = ctx
	whole, err := loader.LoadFromData(base)
	if err != nil {
		return nil, err
	}
	d := &document{whole}
	for name, schema := range made.Components.Schemas {
		if d.Components.Schemas[name] == nil { // the base knows better what errors are
			d.Components.Schemas[name] = schema
			joinTitles(schema.Value)
		}
	}
	for _, tag := range made.Tags {
		tag.Description = unwrap(tag.Description)
		d.Tags = append(d.Tags, tag)
	}
	slices.SortFunc(d.Tags, func(a, b *openapi3.Tag) int { return strings.Compare(a.Name, b.Name) })
	for path, item := range made.Paths.Map() {
		renamed, err := rename(path)
		if err != nil {
			return nil, err
		}
		for _, operation := range item.Operations() {
			if err := d.settle(renamed, operation); err != nil {
				return nil, fmt.Errorf("%s: %w", operation.OperationID, err)
			}
		}
		d.Paths.Set(renamed, item)
	}
	return d, nil
}

// rename gives the parameters of a path their names; the generator made them up from those of the collections.
func rename(path string) (string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if !strings.HasPrefix(segment, "{") {
			continue
		}
		name, found := singular[segments[i-1]]
		if !found {
			return "", fmt.Errorf("%s: singular lacks %q", path, segments[i-1])
		}
		_, verb, _ := strings.Cut(segment, "}")
		segments[i] = "{" + name + "}" + verb
	}
	return strings.Join(segments, "/"), nil
}

// settle finishes an operation.
func (d *document) settle(path string, operation *openapi3.Operation) error {
	operation.Parameters = slices.DeleteFunc(operation.Parameters, func(p *openapi3.ParameterRef) bool { return p.Value.In == "path" })
	inPath, err := d.parametersIn(path)
	if err != nil {
		return err
	}
	operation.Parameters = append(inPath, operation.Parameters...)

	text := unwrap(strings.TrimSpace(operation.Summary + "\n\n" + operation.Description))
	operation.Summary, _, _ = strings.Cut(text, ". ")
	operation.Summary = strings.TrimSuffix(strings.Split(operation.Summary, "\n")[0], ".")
	operation.Description = text
	if slices.Contains(operation.Tags, adminsOnly) {
		operation.Security = openapi3.NewSecurityRequirements().With(openapi3.NewSecurityRequirement().Authenticate("admin"))
	}
	if body := operation.RequestBody; body != nil {
		body.Value.Extensions = nil
	}
	return d.settleAnswers(operation, len(inPath) > 0)
}

// parametersIn refers to what the base says of the parameters of a path.
func (d *document) parametersIn(path string) (refs openapi3.Parameters, err error) {
	for segment := range strings.SplitSeq(path, "/") {
		name, found := strings.CutPrefix(segment, "{")
		if !found {
			continue
		}
		name, _, _ = strings.Cut(name, "}")
		before := len(refs)
		for key, parameter := range d.Components.Parameters {
			if parameter.Value.Name == name {
				refs = append(refs, &openapi3.ParameterRef{Ref: "#/components/parameters/" + key})
			}
		}
		if len(refs) != before+1 {
			return nil, fmt.Errorf("base.yaml must have the parameter %s once", name)
		}
	}
	return refs, nil
}

// joinTitles puts texts together that the generator divides: it takes a first paragraph without a full stop for a title.
func joinTitles(schema *openapi3.Schema) {
	if schema.Title != "" {
		schema.Title, schema.Description = "", strings.TrimSpace(schema.Title+"\n\n"+schema.Description)
	}
	for _, property := range schema.Properties {
		if property.Ref == "" {
			joinTitles(property.Value)
		}
	}
}

// settleAnswers names the shapes of an operation's errors.
func (d *document) settleAnswers(operation *openapi3.Operation, named bool) error {
	success := operation.Responses.Status(200)
	if success == nil {
		return errors.New("it has no answer")
	}
	if strings.Contains(*success.Value.Description, "(streaming responses)") {
		return d.settleStream(operation, success.Value)
	}
	_, method, _ := strings.Cut(operation.OperationID, "_")
	body := operation.RequestBody
	if body != nil && strings.HasPrefix(method, "Update") {
		// What is changed is what comes back. The generator writes it without its name, which the path has, and so without a name.
		body.Value.Content.Get(mediaType).Schema = success.Value.Content.Get(mediaType).Schema
	}
	refers := func(status, response string) {
		operation.Responses.Set(status, &openapi3.ResponseRef{Ref: "#/components/responses/" + response})
	}
	refers("400", "InvalidRequest")
	refers("401", "Unauthenticated")
	refers("403", "PermissionDenied")
	if named || strings.HasPrefix(method, "Preview") || strings.HasPrefix(method, "Backtest") {
		refers("404", "NotFound")
	}
	if strings.HasPrefix(method, "Create") || operation.Parameters.GetByInAndName("query", "etag") != nil ||
		strings.HasPrefix(method, "Update") && hasETag(body) {
		refers("409", "Conflict")
	}
	if body != nil {
		refers("413", "TooLarge")
	}
	refers("429", "Overloaded")
	refers("503", "Unavailable")
	refers("default", "Error")
	return nil
}

// settleStream tells how an answer without an end is written: the gateway writes a line of JSON for each message.
func (d *document) settleStream(operation *openapi3.Operation, success *openapi3.Response) error {
	text := "One JSON object a line, for as long as the stream lasts; a line with `error` ends it."
	success.Description = &text
	media := success.Content.Get(mediaType)
	if media == nil || media.Schema.Value == nil || media.Schema.Value.Properties["result"] == nil {
		return errors.New("its stream has no results")
	}
	_, method, _ := strings.Cut(operation.OperationID, "_")
	name := method + "Line"
	media.Schema.Value.Title, media.Schema.Value.Description = "", "A line of the stream: a result, or the error that ends it."
	d.Components.Schemas[name] = media.Schema
	media.Schema = openapi3.NewSchemaRef("#/components/schemas/"+name, nil)
	operation.Responses.Set("401", &openapi3.ResponseRef{Ref: "#/components/responses/Unauthenticated"})
	operation.Responses.Set("default", &openapi3.ResponseRef{Ref: "#/components/responses/StreamError"})
	return nil
}

func hasETag(body *openapi3.RequestBodyRef) bool {
	media := body.Value.Content.Get(mediaType)
	return media != nil && media.Schema.Value != nil && media.Schema.Value.Properties["etag"] != nil
}

// tellReasons lists the reasons that errors have, with what the protos say of each.
func (d *document) tellReasons(files []*descriptorpb.FileDescriptorProto) {
	schema := d.Components.Schemas["ErrorReason"].Value
	for _, file := range files {
		for i, enum := range file.GetEnumType() {
			if enum.GetName() != "ErrorReason" {
				continue
			}
			const enums, values = 5, 2 // fields of FileDescriptorProto and EnumDescriptorProto
			text := []string{unwrap(comment(file, enums, int32(i))), ""}
			for j, value := range enum.GetValue()[1:] { // the first is never sent
				name := strings.TrimPrefix(value.GetName(), "ERROR_REASON_")
				schema.Enum = append(schema.Enum, name)
				text = append(text, "- "+name+": "+unwrap(comment(file, enums, int32(i), values, int32(j+1))))
			}
			schema.Description = strings.Join(text, "\n")
		}
	}
}

// comment returns what stands above a part of a file.
func comment(file *descriptorpb.FileDescriptorProto, path ...int32) string {
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		if slices.Equal(location.GetPath(), path) {
			return location.GetLeadingComments()
		}
	}
	return ""
}

// unwrap joins the lines of each paragraph, for renderers that keep line ends.
func unwrap(text string) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, paragraph := range paragraphs {
		lines := strings.FieldsFunc(paragraph, func(r rune) bool { return r == '\n' })
		for j := range lines {
			lines[j] = strings.TrimFunc(lines[j], unicode.IsSpace)
		}
		paragraphs[i] = strings.Join(lines, " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

// finish leaves out what nothing refers to, and writes the document.
func (d *document) finish(ctx context.Context) ([]byte, error) {
	for {
		text, err := json.Marshal(d.T)
		if err != nil {
			return nil, err
		}
		before := len(d.Components.Schemas)
		maps.DeleteFunc(d.Components.Schemas, func(name string, _ *openapi3.SchemaRef) bool {
			return !bytes.Contains(text, []byte(`"#/components/schemas/`+name+`"`))
		})
		if len(d.Components.Schemas) == before {
			break
		}
	}
	text, err := json.MarshalIndent(d.T, "", "  ")
	if err != nil {
		return nil, err
	}
	written, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), written.Validate(ctx, openapi3.EnableExamplesValidation())
}
