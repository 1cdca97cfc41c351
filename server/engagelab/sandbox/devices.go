package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
)

// Bounds on what an app keeps, and what EngageLab is told to allow.
const (
	maxNames         = 10_000  // tags, and aliases
	maxMembers       = 100_000 // devices with one tag or alias
	maxChanges       = 1_000   // devices in one request
	maxStatusDevices = 1_000
)

// wallTime is how EngageLab writes a moment, here in UTC.
const wallTime = time.DateTime

// memberships holds the devices of each tag, or of each alias, that was set through the API.
type memberships map[string]map[string]bool

// members returns the devices of those names that were set.
func (m memberships) members(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		maps.Copy(all, m[name])
	}
	return all
}

// of returns the names that a device has, sorted.
func (m memberships) of(id string) []string {
	names := []string{}
	for name, devices := range m {
		if devices[id] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// add gives a device a name, within the bounds.
func (m memberships) add(name, id string) error {
	if m[name] == nil {
		if len(m) >= maxNames {
			return badRequest("there are %d names already", maxNames)
		}
		m[name] = map[string]bool{}
	}
	if len(m[name]) >= maxMembers && !m[name][id] {
		return badRequest("%q has %d devices already", name, maxMembers)
	}
	m[name][id] = true
	return nil
}

func (m memberships) remove(name, id string) { delete(m[name], id) }

// forget takes all of its names from a device.
func (m memberships) forget(id string) {
	for name := range m {
		m.remove(name, id)
	}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, fmt.Sprintf(format, args...))
}

// readBody decodes a request's body.
func readBody[T any](body []byte, want string) (value T, err error) {
	if json.Unmarshal(body, &value) != nil {
		return value, badRequest("the body must be %s", want)
	}
	return value, nil
}

// change adds some and removes others.
type change struct {
	Add    []string `json:"add"`
	Remove []string `json:"remove"`
}

func (c change) check() error {
	if len(c.Add)+len(c.Remove) > maxChanges {
		return badRequest("at most %d changes at once", maxChanges)
	}
	if slices.Contains(c.Add, "") || slices.Contains(c.Remove, "") {
		return badRequest("names and ids must not be empty")
	}
	return nil
}

func (s *Sandbox) getDevice(a *app, r *http.Request, _ []byte) (any, error) {
	id := r.PathValue("id")
	return map[string]any{"tags": a.tags.of(id), "alias": strings.Join(a.aliases.of(id), "")}, nil
}

// setDevice changes a device's tags, an empty string taking all of them, and its alias, an empty string taking that.
func (s *Sandbox) setDevice(a *app, r *http.Request, body []byte) (any, error) {
	id := r.PathValue("id")
	param, err := readBody[object](body, "an object with tags or an alias")
	if err != nil {
		return nil, err
	}
	faults := &reader{}
	var tags change
	clearTags := string(param["tags"]) == `""`
	if !clearTags {
		tags, _ = read[change](faults, param, "tags", "tags", `"" or an object with add and remove`)
	}
	alias, setsAlias := read[string](faults, param, "alias", "alias", "a string")
	if err := faults.refusal(); err != nil {
		return nil, err
	}
	if err := tags.check(); err != nil {
		return nil, err
	}
	if clearTags {
		a.tags.forget(id)
	}
	for _, tag := range tags.Remove {
		a.tags.remove(tag, id)
	}
	for _, tag := range tags.Add {
		if err := a.tags.add(tag, id); err != nil {
			return nil, err
		}
	}
	if setsAlias {
		a.aliases.forget(id)
		if alias != "" {
			return nil, a.aliases.add(alias, id)
		}
	}
	return nil, nil //nolint:nilnil // an empty answer
}

// deleteDevice forgets what was set for a device. What was sent to it stays known.
func (s *Sandbox) deleteDevice(a *app, r *http.Request, _ []byte) (any, error) {
	a.tags.forget(r.PathValue("id"))
	a.aliases.forget(r.PathValue("id"))
	return map[string]bool{"success": true}, nil
}

func (s *Sandbox) devicesStatus(_ *app, _ *http.Request, body []byte) (any, error) {
	param, err := readBody[struct {
		IDs []string `json:"registration_ids"`
	}](body, "an object with registration_ids")
	if err != nil {
		return nil, err
	}
	if len(param.IDs) == 0 || len(param.IDs) > maxStatusDevices {
		return nil, badRequest("registration_ids must be 1 to %d", maxStatusDevices)
	}
	now := s.cfg.Clock.Now()
	type status struct {
		ID         string `json:"regid"`
		Online     bool   `json:"online"`
		LastOnline string `json:"last_online_time,omitempty"`
	}
	statuses := []status{}
	for _, id := range param.IDs {
		one := status{ID: id, Online: true}
		if d := s.devices[id]; d != nil {
			one.Online = !d.backAt.After(now)
		}
		if one.Online {
			one.LastOnline = now.UTC().Format(wallTime)
		}
		statuses = append(statuses, one)
	}
	return statuses, nil
}
