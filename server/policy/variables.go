package policy

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Variables are what a template can refer to, under the names push, custom_args, device and step. Their values are what
// encoding/json makes of JSON; they are read only.
type Variables struct {
	// Push is the push's document.
	Push map[string]any
	// CustomArgs is an object or a string, as the push had it.
	CustomArgs any
	// Device is the recipient's. It may be zero for a content that is not Personal.
	Device Device
	// Step is the number of the follow-up: 1…11.
	Step int
}

// bindings are the variables as Liquid sees them, with a fresh budget.
func (v Variables) bindings() map[string]any {
	return map[string]any{
		"push":        &lazy{raw: v.Push},
		"custom_args": &lazy{raw: v.CustomArgs},
		"device":      &lazy{raw: v.Device},
		"step":        v.Step,
		budgetName:    newBudget(),
	}
}

// lazy normalises a variable when a template first asks for it. Most templates ask for one of several.
type lazy struct {
	raw   any
	value any
	done  bool
}

// ToLiquid implements the library's Drop.
func (l *lazy) ToLiquid() any {
	if !l.done {
		l.value, l.done = normal(l.raw), true
	}
	return l.value
}

// normal turns what came from JSON into what Liquid handles well.
func normal(v any) any {
	switch v := v.(type) {
	case Device:
		return object{
			"registration_id": v.RegistrationID, "attributes": normal(v.Attributes),
			"time_zone": v.TimeZone, "locale": v.Locale,
		}
	case map[string]any:
		o := make(object, len(v))
		for key, value := range v {
			o[key] = normal(value)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = normal(value)
		}
		return list
	default:
		return normalNumber(v)
	}
}

// normalNumber makes integers ints, which the library wants as indexes and limits, and other numbers decimals.
func normalNumber(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		// An integer that is too large for us stays a text, to the last digit.
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return normalNumber(f)
		}
		return v.String()
	case int64:
		return int(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v)
		}
		return decimal(v)
	default:
		return v
	}
}

// decimal prints without an exponent.
type decimal float64

// String returns the shortest text that is exactly this number.
func (d decimal) String() string { return strconv.FormatFloat(float64(d), 'f', -1, 64) }

// object is a map that loops walk in the order of its keys: equal variables must render to equal texts.
type object map[string]any

// Len and Index make an object iterable for the library.
func (o object) Len() int { return len(o) }

// Index returns the pair of the i-th key and its value.
func (o object) Index(i int) any {
	key := slices.Sorted(maps.Keys(o))[i]
	return []any{key, o[key]}
}
