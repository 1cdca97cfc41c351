package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// What a step may render to, in bytes.
const (
	maxRenderedTitle  = 1 << 10
	maxRenderedAlert  = 8 << 10
	maxRenderedString = 8 << 10 // each string in the overlay

	// maxRendered bounds all of it together. Thousands of personal contents are in memory at a time, and hundreds are stored as
	// one batch.
	maxRendered = 64 << 10
)

// CompiledContent is a content with its templates parsed. It is immutable.
type CompiledContent struct {
	title, alert *template
	overlay      any // the decoded overlay, with a *template for each string; nil if there is none

	personal   bool // see Personal
	usesDevice bool // any of the templates does
}

// Rendered is a content for one recipient, or for all if it is not personal.
type Rendered struct {
	Title string `json:"title,omitempty"`
	Alert string `json:"alert,omitempty"`
	// Overlay is a JSON merge patch over the push's document, with sorted keys.
	Overlay json.RawMessage `json:"overlay,omitempty"`
}

// Encode returns the canonical encoding: equal contents are equal bytes. The Overlay must be what Render or
// DecodeRendered made; other bytes that are not JSON panic.
func (r Rendered) Encode() []byte {
	b, err := encode(r)
	if err != nil {
		panic(fmt.Sprintf("policy: encode rendered content: %v", err))
	}
	return b
}

// DecodeRendered reads what Encode wrote.
func DecodeRendered(b []byte) (Rendered, error) {
	var r Rendered
	if err := json.Unmarshal(b, &r); err != nil {
		return Rendered{}, fmt.Errorf("decode rendered content: %w", err)
	}
	return r, nil
}

// Personal reports whether the content refers to the device. If not, one rendering serves all recipients of a push.
func (c *CompiledContent) Personal() bool { return c.personal }

// Render fills in the templates. It fails if a text grows over its bound (title 1 KiB, alert and each string of the
// overlay 8 KiB, all together 64 KiB), if loops take too many turns or too long, or if a filter can't work with what it gets.
func (c *CompiledContent) Render(v Variables) (Rendered, error) {
	bindings := v.bindings()
	title, titleErr := c.title.render(bindings, maxRenderedTitle)
	if titleErr != nil {
		titleErr = fmt.Errorf("title: %w", titleErr)
	}
	alert, alertErr := c.alert.render(bindings, maxRenderedAlert)
	if alertErr != nil {
		alertErr = fmt.Errorf("alert: %w", alertErr)
	}
	overlay, overlayErr := renderOverlay(c.overlay, bindings)
	if err := errors.Join(titleErr, alertErr, overlayErr); err != nil {
		return Rendered{}, err
	}
	if size := len(title) + len(alert) + len(overlay); size > maxRendered {
		return Rendered{}, fmt.Errorf("%w: %d bytes together, more than %d", errTooLong, size, maxRendered)
	}
	return Rendered{Title: title, Alert: alert, Overlay: overlay}, nil
}

func renderOverlay(overlay any, bindings map[string]any) (json.RawMessage, error) {
	if overlay == nil {
		return nil, nil
	}
	filled, err := mapStrings(overlay, "overlay", func(path string, t *template) (any, error) {
		text, err := t.render(bindings, maxRenderedString)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return text, nil
	})
	if err != nil {
		return nil, err
	}
	return encode(filled)
}

// contentCompiler parses the templates of one content.
type contentCompiler struct {
	f       *faults
	content CompiledContent
	// plain refuses templates.
	plain bool
}

// compileContent parses a content. The result is of use only if no faults were found.
func compileContent(c Content, field string, plain bool, f *faults) *CompiledContent {
	compiler := &contentCompiler{f: f, plain: plain}
	title := compiler.parse(c.Title, field+".title", maxTitle)
	alert := compiler.parse(c.Alert, field+".alert", maxAlert)
	overlay := compiler.parseOverlay(c.Overlay, field+".overlay")
	if c.Title == "" && c.Alert == "" && len(c.Overlay) == 0 {
		f.add(field, "needs a title, an alert or an overlay")
	}
	compiled := compiler.content
	compiled.title, compiled.alert = title, alert
	if len(overlay) > 0 {
		compiled.overlay = overlay
	}
	return &compiled
}

func (c *contentCompiler) parse(source, field string, limit int) *template {
	if !c.f.text(field, source, limit) {
		return nil
	}
	if c.plain && isTemplate(source) {
		c.f.add(field, "is taken as it is written, and may hold neither {{ nor {%%")
		return nil
	}
	t, err := parseTemplate(source)
	if err != nil {
		c.f.add(field, "%s", err)
		return nil
	}
	c.content.personal = c.content.personal || t.personal
	c.content.usesDevice = c.content.usesDevice || t.usesDevice
	return t
}

// parseOverlay decodes an overlay and turns its strings into templates.
func (c *contentCompiler) parseOverlay(raw json.RawMessage, field string) map[string]any {
	if len(raw) == 0 || !c.f.text(field, string(raw), maxOverlay) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var overlay map[string]any
	if err := decoder.Decode(&overlay); err != nil || overlay == nil {
		c.f.add(field, "must be a JSON object")
		return nil
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		c.f.add(field, "has something after its end")
		return nil
	}
	if len(overlay) == 0 {
		c.f.add(field, "is empty")
		return nil
	}
	c.f.overlay(field, overlay)
	// The visitor never fails: faults are collected.
	parsed, _ := mapStrings[string](overlay, field, func(path string, source string) (any, error) {
		return c.parse(source, path, maxOverlay), nil
	})
	return parsed.(map[string]any)
}

// mapStrings returns a copy of a JSON value in which each leaf of type T is replaced by what the visitor makes of it.
// The visitor gets the leaf's path.
func mapStrings[T any](v any, path string, visit func(path string, leaf T) (any, error)) (any, error) {
	var errs []error
	mapped := func(child any, path string) any {
		out, err := mapStrings(child, path, visit)
		if err != nil {
			errs = append(errs, err)
		}
		return out
	}
	switch v := v.(type) {
	case T:
		return visit(path, v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out[key] = mapped(v[key], path+"."+strings.ToValidUTF8(key, "\uFFFD"))
		}
		return out, errors.Join(errs...)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = mapped(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return out, errors.Join(errs...)
	default:
		return v, nil
	}
}
