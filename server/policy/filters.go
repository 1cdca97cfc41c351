package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/osteele/liquid/filters"
)

// The bounds of what goes into a filter and what comes out of it, so that no chain of filters can grow a value without
// end, nor spend long on one.
const (
	maxFilterText  = 8 << 10
	maxFilterItems = 1000
)

// addFilters adds the standard filters, each bounded, and replaces those that are wrong or too greedy.
func (d *dialect) addFilters() {
	filters.AddStandardFilters(d)
	// The standard one cuts a letter of several bytes in two.
	d.AddFilter("capitalize", func(s string) string {
		r, n := utf8.DecodeRuneInString(s)
		if n == 0 {
			return s
		}
		return string(unicode.ToUpper(r)) + s[n:]
	})
	// The standard one compares each item with each, and panics over nil.
	d.AddFilter("uniq", func(items []any) []any {
		seen := make(map[any]bool, len(items))
		return slices.DeleteFunc(slices.Clone(items), func(item any) bool {
			key := item
			if item != nil && !reflect.TypeOf(item).Comparable() {
				key = fmt.Sprintf("%#v", item)
			}
			known := seen[key]
			seen[key] = true
			return known
		})
	})
	// The standard one makes the whole text before its size can be known.
	d.AddFilter("replace", func(s, old, with string) (string, error) {
		if len(s)+strings.Count(s, old)*len(with) > maxFilterText {
			return "", errTooLong
		}
		return strings.ReplaceAll(s, old, with), nil
	})
}

// AddFilter implements filters.FilterDictionary.
func (d *dialect) AddFilter(name string, fn any) {
	d.filters[name] = true
	d.config.AddFilter(name, bounded(fn))
}

// bounded wraps a filter so that it refuses what is too large, and makes the numbers that it yields print naturally.
func bounded(fn any) any {
	f := reflect.ValueOf(fn)
	in := make([]reflect.Type, f.Type().NumIn())
	for i := range in {
		in[i] = f.Type().In(i)
	}
	out := []reflect.Type{reflect.TypeFor[any](), reflect.TypeFor[error]()}
	return reflect.MakeFunc(reflect.FuncOf(in, out, false), func(args []reflect.Value) []reflect.Value {
		result, err := callBounded(f, args)
		return []reflect.Value{reflect.ValueOf(&result).Elem(), reflect.ValueOf(&err).Elem()}
	}).Interface()
}

func callBounded(f reflect.Value, args []reflect.Value) (any, error) {
	for i, arg := range args {
		if err := checkSize(arg); err != nil {
			return nil, err
		}
		if arg.Kind() == reflect.Interface {
			if d, ok := arg.Interface().(decimal); ok { // filters know only Go's own type
				args[i] = reflect.ValueOf(float64(d))
			}
		}
	}
	results := f.Call(args)
	if len(results) > 1 {
		if err, ok := results[1].Interface().(error); ok {
			return nil, err
		}
	}
	if err := checkSize(results[0]); err != nil {
		return nil, err
	}
	return normalNumber(results[0].Interface()), nil
}

func checkSize(v reflect.Value) error {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	limit := maxFilterItems
	switch v.Kind() {
	case reflect.String:
		limit = maxFilterText
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			limit = maxFilterText
		}
	default:
		return nil
	}
	if v.Len() > limit {
		return fmt.Errorf("%w: a filter takes and yields at most %d bytes or %d items", errTooLong, maxFilterText, maxFilterItems)
	}
	return nil
}
