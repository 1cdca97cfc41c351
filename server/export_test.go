package server

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

var description = regexp.MustCompile(`^Desc\{fqName: "([^"]+)".*constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// MetricLabels returns the labels, separated by commas, of every metric that can be exposed, by its name.
func (s *Server) MetricLabels() map[string]string {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		s.registry.Describe(descriptions)
	}()
	labels := map[string]string{}
	for d := range descriptions {
		found := description.FindStringSubmatch(d.String())
		name, value, constant := strings.Cut(found[2], "=")
		if constant && value != "" {
			labels[found[1]] = name
		} else {
			labels[found[1]] = found[3]
		}
	}
	return labels
}

// ReadinessFields returns the fields of /readyz, those of an object as object.field.
func ReadinessFields() []string { return fields(reflect.TypeFor[readiness](), "") }

func fields(t reflect.Type, prefix string) (all []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() == reflect.Pointer {
			all = append(all, fields(f.Type.Elem(), prefix+name+".")...)
		} else {
			all = append(all, prefix+name)
		}
	}
	return all
}
