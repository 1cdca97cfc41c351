package config

import (
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	kmaps "github.com/knadh/koanf/maps"
	"go.yaml.in/yaml/v3"

	"susul.dev/susul/storage"
)

// flatten returns the values of a section and of those inside it by their keys, as they were written. Names that the
// schema does not know are faults; a key without a value is as good as absent.
func (l *loader) flatten(s schema, at place, section map[string]any) map[string]any {
	found := map[string]any{}
	l.flattenInto(found, s, "", at, section)
	return found
}

func (l *loader) flattenInto(found map[string]any, s schema, prefix string, at place, section map[string]any) {
	for _, written := range slices.Sorted(maps.Keys(section)) {
		value, name, here := section[written], prefix+written, at.key(printable(written))
		_, isKey := s.keys[name]
		_, twice := found[name]
		inner, isMap := value.(map[string]any)
		switch {
		case twice:
			l.faults.add(here, "is set twice, in its section and with a dot; keep one")
		case isKey && value != nil:
			found[name] = value
		case isKey:
		case s.sections[name] && (isMap || value == nil):
			l.flattenInto(found, s, name+".", here, inner)
		case s.sections[name]:
			l.faults.add(here, "is a section; put its keys under it")
		default:
			l.faults.add(here, "is no key of Susul's; %s", advice(name, s.names()))
		}
	}
}

// convert turns what a source holds into the type of the key's field. Text is always understood, because variables and
// flags have nothing else. It reports false, after adding the faults, if there is nothing to go on with.
func (l *loader) convert(k kind, at place, value any) (any, bool) {
	switch k {
	case list:
		return l.convertList(k, at, value)
	case networks:
		return l.convertNetworks(at, value)
	case apps:
		return l.convertItems(apps, l.app, at, parsed(value))
	case groups:
		return l.convertItems(groups, l.group, at, parsed(value))
	case statuses:
		return l.convertStatuses(at, parsed(value))
	case reasons:
		return l.convertReasons(at, parsed(value))
	}
	converted, ok := scalar(k, value)
	if !ok {
		l.faults.add(at, "must be %s", k.wants())
	}
	return converted, ok
}

// parsed reads YAML or JSON from a text. Text that is neither stays text, which no structured kind accepts.
func parsed(value any) any {
	s, isText := value.(string)
	if !isText {
		return value
	}
	var content any
	if err := yaml.Unmarshal([]byte(s), &content); err != nil {
		return value
	}
	holder := map[string]any{"": content}
	kmaps.IntfaceKeysToStrings(holder)
	return holder[""]
}

// maxCount bounds what is counted, far beyond what a machine can hold.
const maxCount = 100_000_000

// scalar converts a single value and reports whether it could.
func scalar(k kind, value any) (any, bool) {
	s, isText := value.(string)
	if k == text {
		return s, isText
	}
	if !isText {
		switch v := reflect.ValueOf(value); {
		case k == truth && v.Kind() == reflect.Bool:
			return value, true
		case k == count && v.CanInt():
			return v.Int(), v.Int() >= 0 && v.Int() <= maxCount
		case k == number && v.CanInt():
			return float64(v.Int()), true
		case k == number && v.CanUint():
			return float64(v.Uint()), true
		case k == number && v.CanFloat():
			return v.Float(), true
		}
		return nil, false
	}
	var converted any
	var err error
	switch k {
	case truth:
		converted, err = strconv.ParseBool(s)
	case number:
		converted, err = strconv.ParseFloat(s, 64)
	case count:
		var n uint64
		n, err = strconv.ParseUint(s, 10, 64)
		return int64(n), err == nil && n <= maxCount
	case duration:
		converted, err = time.ParseDuration(s)
	case level:
		var lv slog.Level
		err = lv.UnmarshalText([]byte(s))
		converted = lv
	}
	return converted, err == nil
}

func (l *loader) convertList(k kind, at place, value any) ([]string, bool) {
	converted := []string{}
	switch v := value.(type) {
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				converted = append(converted, item)
			}
		}
		return converted, true
	case []any:
		ok := true
		for i, item := range v {
			s, isText := item.(string)
			if !isText {
				l.faults.add(at.index(i), "must be %s", text.wants())
				ok = false
			}
			converted = append(converted, s)
		}
		return converted, ok
	default:
		l.faults.add(at, "must be %s", k.wants())
		return nil, false
	}
}

// convertNetworks checks a list of networks, which stay texts. An address stands for itself alone.
func (l *loader) convertNetworks(at place, value any) (any, bool) {
	written, ok := l.convertList(networks, at, value)
	converted := []string{}
	for i, text := range written {
		network, err := netip.ParsePrefix(text)
		if address, bad := netip.ParseAddr(text); bad == nil {
			network, err = address.Prefix(address.BitLen())
		}
		switch {
		case err != nil || network.Addr().Is4In6():
			l.faults.add(at.index(i), "must be a network, such as 203.0.113.0/24, or an address")
			ok = false
		case network != network.Masked():
			l.faults.add(at.index(i), "has bits beyond its length; did you mean %s?", network.Masked())
			ok = false
		}
		converted = append(converted, network.String())
	}
	return converted, ok
}

// convertItems lays the keys of each app or group over the defaults. An item with a fault keeps its place in the list, so
// that what is left of it is validated too.
func (l *loader) convertItems(k kind, s schema, at place, value any) (any, bool) {
	items, ok := value.([]any)
	if !ok && value != nil {
		l.faults.add(at, "must be %s", k.wants())
		return nil, false
	}
	converted := []any{}
	for i, item := range items {
		section, isMap := item.(map[string]any)
		if !isMap {
			l.faults.add(at.index(i), "must be %s", k.item())
		}
		found := defaults(s)
		maps.Copy(found, l.flatten(s, at.index(i), section))
		fields := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if v, ok := l.convert(s.keys[name].kind, at.index(i).key(name), found[name]); ok {
				fields[name] = v
			}
		}
		converted = append(converted, kmaps.Unflatten(fields, "."))
	}
	return converted, true
}

func (l *loader) convertStatuses(at place, value any) (any, bool) {
	section, ok := value.(map[string]any)
	if !ok && value != nil {
		l.faults.add(at, "must be %s", statuses.wants())
		return nil, false
	}
	converted := map[string]storage.Milestone{}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		milestone := milestoneOf(section[name])
		switch {
		case strings.TrimSpace(name) == "":
			l.faults.add(at.key(printable(name)), "must have the name of a status")
		case milestone == storage.MilestoneUnknown:
			l.faults.add(at.key(printable(name)), "must be SENT, DELIVERED, DISPLAYED, CLICKED or FAILED")
		}
		converted[name] = milestone
	}
	return converted, true
}

// validReason is a word as the protos' enums have them.
var validReason = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// convertReasons reads a map whose names may be numbers.
func (l *loader) convertReasons(at place, value any) (any, bool) {
	section, ok := value.(map[string]any)
	if !ok && value != nil {
		l.faults.add(at, "must be %s", reasons.wants())
		return nil, false
	}
	converted := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		reason, isText := section[name].(string)
		if strings.TrimSpace(name) == "" {
			l.faults.add(at.key(printable(name)), "must have the name of a status, or an error code")
		}
		if !isText || reason != "" && !validReason.MatchString(reason) {
			l.faults.add(at.key(printable(name)),
				"must be a word of up to 64 capitals, digits and underscores, such as UNREGISTERED, or empty")
		}
		converted[name] = reason
	}
	return converted, true
}

// milestoneOf returns the milestone of that name, or the unknown one.
func milestoneOf(name any) storage.Milestone {
	for m := storage.Sent; m <= storage.Failed; m++ {
		if name == m.String() {
			return m
		}
	}
	return storage.MilestoneUnknown
}
