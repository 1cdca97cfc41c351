package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/osteele/liquid/parser"
	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/tags"
)

// What one rendering may cost. The library has no bounds of its own. Ours hold because every source of growth has one:
// loops (turns, time), filters (bounded), output (limitedBuffer), ranges (literal), and no capture, whose buffer is the
// library's own.
const (
	maxTurns = 1000        // of all loops of a step's content together
	maxTime  = time.Second // asked at each turn; what stands outside of loops is short
	maxRange = 100         // items of a range
)

// budget is what is left for one rendering of a step's content.
type budget struct {
	turns int
	until time.Time
}

func newBudget() *budget {
	return &budget{turns: maxTurns, until: time.Now().Add(maxTime)} //nolint:forbidigo // bounds the processor's time
}

func (b *budget) turn() error {
	if b.turns == 0 {
		return errTooManyTurns
	}
	b.turns--
	if time.Now().After(b.until) { //nolint:forbidigo // bounds the processor's time
		return errTooSlow
	}
	return nil
}

var (
	errTooManyTurns = fmt.Errorf("loops take more than %d turns", maxTurns)
	errTooSlow      = fmt.Errorf("loops take longer than %s", maxTime)
	errTooLong      = errors.New("text is too long")
)

// dialect is the Liquid that templates are written in. It is immutable once built.
type dialect struct {
	config  render.Config
	filters map[string]bool
	turn    render.Node // counts a turn of the loop that it stands in
}

// turnTag can be written in a template, where it is a turn more. budgetName can't, because of its space.
const (
	turnTag    = "susul_turn"
	budgetName = "turn budget"
)

var liquid = sync.OnceValues(func() (*dialect, error) {
	d := &dialect{config: render.NewConfig(), filters: map[string]bool{}}
	tags.AddStandardTags(d.config)
	d.addFilters()
	d.config.AddTag(turnTag, func(string) (func(io.Writer, render.Context) error, error) {
		return func(_ io.Writer, ctx render.Context) error {
			b, ok := ctx.Get(budgetName).(*budget)
			if !ok {
				return errTooManyTurns
			}
			return b.turn()
		}, nil
	})
	root, err := d.config.Compile("{% "+turnTag+" %}", parser.SourceLoc{})
	if err != nil {
		return nil, err
	}
	d.turn = root
	return d, nil
})

// refused are the standard tags that templates can't use, and why.
func refused(tag string) string {
	switch tag {
	case "include":
		return "reads files"
	case "capture":
		return "has no bound; assign with the append filter instead"
	case "tablerow":
		return "makes HTML"
	default:
		return ""
	}
}

// template is a parsed Liquid template. It is immutable.
type template struct {
	source string
	root   render.Node // nil if the source is plain text
	// personal says that it refers to the device; usesDevice, to more of it than its registration id.
	personal, usesDevice bool
	dialect              *dialect
}

// isTemplate reports whether a text is more than itself.
func isTemplate(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%")
}

func parseTemplate(source string) (t *template, err error) {
	if !isTemplate(source) {
		return &template{source: source}, nil
	}
	defer recovered(&err)
	d, err := liquid()
	if err != nil {
		return nil, fmt.Errorf("prepare Liquid: %w", err)
	}
	root, perr := d.config.Compile(source, parser.SourceLoc{})
	if perr != nil {
		return nil, plain(perr)
	}
	t = &template{source: source, root: root, dialect: d}
	if err := t.inspect([]render.Node{root}); err != nil {
		return nil, err
	}
	return t, nil
}

// inspect walks a parsed template: it refuses what has no bound, makes loops count their turns, and finds out whether
// the template is personal.
func (t *template) inspect(nodes []render.Node) error {
	for _, n := range nodes {
		var err error
		switch n := n.(type) {
		case *render.SeqNode:
			err = t.inspect(n.Children)
		case *render.TextNode:
			if isTemplate(n.Source) {
				err = errors.New("a {{ or {% is not closed")
			}
		case *render.ObjectNode:
			err = t.expression(n.Args)
		case *render.TagNode:
			err = t.tag(n.Token)
		case *render.BlockNode:
			err = t.block(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *template) block(n *render.BlockNode) error {
	if err := t.tag(n.Token); err != nil {
		return err
	}
	for _, clause := range n.Clauses {
		if err := t.block(clause); err != nil {
			return err
		}
	}
	if err := t.inspect(n.Body); err != nil {
		return err
	}
	if n.Name == "for" {
		n.Body = append([]render.Node{t.dialect.turn}, n.Body...)
	}
	return nil
}

func (t *template) tag(tok parser.Token) error {
	if why := refused(tok.Name); why != "" {
		return fmt.Errorf("tag %q can't be used: it %s", tok.Name, why)
	}
	return t.expression(tok.Args)
}

// Patterns over the text of an expression, never written to. The library keeps no syntax tree of expressions.
var (
	quoted       = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	filterName   = regexp.MustCompile(`\|\s*([A-Za-z_][\w-]*)`)
	literalRange = regexp.MustCompile(`\(\s*(-?\d{1,6})\s*\.\.\s*(-?\d{1,6})\s*\)`)
	deviceName   = regexp.MustCompile(`\bdevice\b`)
	deviceID     = regexp.MustCompile(`\bdevice\.registration_id\b`)
)

// expression checks the expression of an object or a tag. It may find a device where there is none, such as in a
// property of that name, but misses none.
func (t *template) expression(text string) error {
	text = quoted.ReplaceAllString(text, `""`)
	t.personal = t.personal || deviceName.MatchString(text)
	t.usesDevice = t.usesDevice || deviceName.MatchString(deviceID.ReplaceAllString(text, ""))
	for _, m := range filterName.FindAllStringSubmatch(text, -1) {
		if !t.dialect.filters[m[1]] {
			return fmt.Errorf("unknown filter %q", m[1])
		}
	}
	for _, m := range literalRange.FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[1]) // the pattern leaves digits only, few enough
		last, _ := strconv.Atoi(m[2])
		if items := last - first + 1; items < 0 || items > maxRange {
			return fmt.Errorf("range %s must have at most %d items, in ascending order", m[0], maxRange)
		}
	}
	if strings.Contains(literalRange.ReplaceAllString(text, ""), "..") {
		return errors.New("the bounds of a range must be literal integers, as in (1..5)")
	}
	return nil
}

// render returns the template's text, of at most limit bytes and valid UTF-8. The bindings must hold a budget.
func (t *template) render(bindings map[string]any, limit int) (out string, err error) {
	if t.root == nil {
		return t.source, nil
	}
	defer recovered(&err)
	w := &limitedBuffer{limit: limit}
	if rerr := render.Render(t.root, w, bindings, t.dialect.config); rerr != nil {
		return "", plain(rerr)
	}
	return strings.ToValidUTF8(w.String(), "\uFFFD"), nil
}

// sourceError is the library's error with a place, which says "Liquid error (line 0)" of our texts of one line.
type sourceError interface {
	error
	Cause() error
}

// plain returns what is below the place, if anything is.
func plain(err sourceError) error {
	if cause := err.Cause(); cause != nil {
		return cause
	}
	return err
}

// recovered turns a panic into an error: the library panics over some faults of templates and values.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case sourceError: // its text can be a stack trace
		*err = fmt.Errorf("template failed: %w", plain(r))
	case error:
		*err = fmt.Errorf("template failed: %w", r)
	default:
		*err = fmt.Errorf("template failed: %v", r)
	}
}

// limitedBuffer refuses what goes over its limit.
type limitedBuffer struct {
	bytes.Buffer
	limit int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, fmt.Errorf("%w: more than %d bytes", errTooLong, b.limit)
	}
	return b.Buffer.Write(p)
}
