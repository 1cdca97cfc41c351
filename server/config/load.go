package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Sources is where a configuration comes from; each may be missing.
type Sources struct {
	// File is the path of a YAML file. Empty: what --config says in Flags, if anything.
	File string
	// Environ holds NAME=value strings as os.Environ returns them; an empty value counts as one. Names that do not
	// start with SUSUL_ are ignored, and so are those that Kubernetes sets for a service called susul.
	Environ []string
	// Flags are the parsed flags of RegisterFlags; only those that were given count. Other flags may be among them.
	Flags *pflag.FlagSet
}

// Load reads, completes and validates the configuration. If anything is wrong with it, the error is an *Error that
// holds every fault of every source.
func Load(src Sources) (Config, error) {
	l := newLoader()
	l.loadDefaults()
	l.loadFile(src.path())
	l.loadEnviron(src.Environ)
	l.loadFlags(src.Flags)

	var c Config
	if err := l.values.Unmarshal("", &c); err != nil {
		return Config{}, fmt.Errorf("configuration: the table of keys does not fit the structs: %w", err)
	}
	l.validate(c)
	if len(l.faults.list) > 0 {
		return Config{}, &Error{Faults: l.faults.list}
	}
	c.complete()
	return c, nil
}

func (s Sources) path() string {
	if s.File != "" || s.Flags == nil {
		return s.File
	}
	if f := s.Flags.Lookup(configFlag); f != nil {
		return f.Value.String()
	}
	return ""
}

// loader lays the sources over each other. Values are converted and checked for their type as they come in, each with
// the name of its source; so the structs at the end are filled without any guessing.
type loader struct {
	server, app, group schema
	values             *koanf.Koanf
	origin             map[string]string // key → the source that set it last
	faults             faults
}

func newLoader() *loader {
	return &loader{
		server: newSchema(""),
		app:    newSchema(appPrefix),
		group:  newSchema(groupPrefix),
		values: koanf.New("."),
		origin: map[string]string{},
		faults: faults{seen: map[place]bool{}},
	}
}

// at returns the place where a key got its value.
func (l *loader) at(name string) place { return place{source: l.origin[name], path: name} }

func (l *loader) loadDefaults() {
	l.putAll(defaults(l.server), func(string) string { return "default" })
}

func (l *loader) loadFile(path string) {
	if path == "" {
		return
	}
	var content map[string]any
	keep := koanf.WithMergeFunc(func(read, _ map[string]any) error {
		content = read
		return nil
	})
	if err := koanf.New(".").Load(file.Provider(path), yaml.Parser(), keep); err != nil {
		what := notYAML(err)
		if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
			what = fmt.Sprintf("cannot be read: %v", cause.Err)
		}
		l.faults.add(place{source: path}, "%s", what)
		return
	}
	found := l.flatten(l.server, place{source: path}, content)
	l.putAll(found, func(string) string { return path })
}

func (l *loader) loadEnviron(environ []string) {
	byVariable := map[string]key{}
	for _, k := range l.server.keys {
		byVariable[k.env()] = k
	}
	provider := env.Provider("", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			k, known := byVariable[name]
			switch {
			case !known && strings.HasPrefix(name, migrationPrefix):
				l.faults.add(place{source: printable(name)}, "is for susul migrate-storage alone; unset it")
			case !known && !fromKubernetes(name, value):
				l.faults.add(place{source: printable(name)}, "is no variable of Susul's; %s",
					advice(name, slices.Sorted(maps.Keys(byVariable))))
			}
			return k.name, value
		},
	})
	found, _ := provider.Read() // it has no way to fail
	l.putAll(found, func(name string) string { return l.server.keys[name].env() })
}

func (l *loader) loadFlags(flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	provider := posflag.ProviderWithFlag(flags, "", nil, func(f *pflag.Flag) (string, any) {
		if _, known := l.server.keys[f.Name]; !known {
			return "", nil
		}
		return f.Name, f.Value.String()
	})
	found, _ := provider.Read() // it has no way to fail
	l.putAll(found, func(name string) string { return "--" + name })
}

// putAll converts the values of one source, by key, and lays them over the earlier ones.
func (l *loader) putAll(found map[string]any, source func(name string) string) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		l.origin[name] = source(name)
		if value, ok := l.convert(l.server.keys[name].kind, l.at(name), found[name]); ok {
			_ = l.values.Set(name, value) // only a strict merge can fail, and this is none
		}
	}
}

// defaults returns the default of every key that has one.
func defaults(s schema) map[string]any {
	found := map[string]any{}
	for name, k := range s.keys {
		if k.def != "" {
			found[name] = k.def
		}
	}
	return found
}

// notYAML describes a parser's error by its line only: the parser's own text may quote a secret.
func notYAML(err error) string {
	where := ""
	if line := regexp.MustCompile(`line \d+`).FindString(err.Error()); line != "" {
		where = " near " + line
	}
	return "is not a YAML map of keys" + where + "; check indentation and quotes, and that no key is there twice"
}

// fromKubernetes recognises the variables that a cluster sets in every pod for a service whose name starts with susul.
// SUSUL_…_PORT could as well be a mistyped key; a cluster's is a URL.
func fromKubernetes(name, value string) bool {
	link := regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	return link.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}
