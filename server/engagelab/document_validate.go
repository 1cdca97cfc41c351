package engagelab

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what Susul takes in one push. Everything else is left to EngageLab to judge.
const (
	MaxRecipients     = 1_000_000
	MaxCallbackURLs   = 10
	maxRequestID      = 256
	maxRegistrationID = 128
	maxURL            = 2048
	maxTimeToLive     = 15 * 24 * 3600
	maxListedFaults   = 20
)

// zero is the one character that not every database can store. No id has it that pushes are told apart by.
const zero = "\x00"

// Fault is one thing that is wrong with a document.
type Fault struct {
	Field       string // a path such as to.registration_id
	Description string
}

// InvalidDocument lists the faults of a document, at most 20.
type InvalidDocument struct {
	Faults []Fault
}

// Error lists all faults.
func (e *InvalidDocument) Error() string {
	texts := make([]string, len(e.Faults))
	for i, fault := range e.Faults {
		texts[i] = fault.Field + ": " + fault.Description
	}
	return strings.Join(texts, "; ")
}

type faults []Fault

func (f *faults) add(field, format string, args ...any) {
	if len(*f) < maxListedFaults {
		*f = append(*f, Fault{Field: field, Description: fmt.Sprintf(format, args...)})
	}
}

// Validate checks what Susul itself relies on and returns an *InvalidDocument with every fault.
func (d Document) Validate() error {
	var found faults
	d.validateStrings(&found)
	d.validateAudience(&found)
	d.validateCallbackURLs(&found)
	d.validateBody(&found)
	if len(found) > 0 {
		return &InvalidDocument{Faults: found}
	}
	return nil
}

func (d Document) validateStrings(found *faults) {
	for _, name := range []string{"from", "request_id"} {
		value, given := d.members[name]
		if !given || value == nil {
			continue
		}
		if text, ok := value.(string); !ok {
			found.add(name, "must be a string")
		} else if utf8.RuneCountInString(text) > maxRequestID {
			found.add(name, "must have at most %d characters", maxRequestID)
		}
	}
	for _, id := range []struct{ field, text string }{{"request_id", d.RequestID()}, {"body.options.cid", d.CID()}} {
		if strings.Contains(id.text, zero) {
			found.add(id.field, "must not have the character U+0000")
		}
	}
	switch d.members["custom_args"].(type) {
	case nil, string, map[string]any:
	default:
		found.add("custom_args", "must be an object or a string")
	}
}

var selectors = []string{"tag", "tag_and", "tag_not", "alias", "live_activity_id", "seg"}

func (d Document) validateAudience(found *faults) {
	switch to := d.members["to"].(type) {
	case nil:
		found.add("to", `is missing: give "all" or an object`)
	case string:
		if to != "all" {
			found.add("to", `must be "all" or an object`)
		}
	case map[string]any:
		listed := to["registration_id"] != nil
		selected := slices.ContainsFunc(selectors, func(name string) bool { return to[name] != nil })
		switch {
		case listed && selected:
			found.add("to", "give registration_id or another kind of audience, not both")
		case listed:
			validateRegistrationIDs(to["registration_id"], found)
		case allNull(to):
			found.add("to", "names no audience")
		}
	default:
		found.add("to", `must be "all" or an object`)
	}
}

// allNull reports whether an object says nothing. An audience of a kind that Susul does not know says something.
func allNull(object map[string]any) bool {
	for _, value := range object {
		if value != nil {
			return false
		}
	}
	return true
}

func validateRegistrationIDs(value any, found *faults) {
	const field = "to.registration_id"
	ids, ok := value.([]any)
	switch {
	case !ok:
		found.add(field, "must be an array of strings")
	case len(ids) == 0:
		found.add(field, "must not be empty")
	case len(ids) > MaxRecipients:
		found.add(field, "must have at most %d items", MaxRecipients)
	}
	for i, item := range ids {
		id, ok := item.(string)
		if !ok || id == "" || len(id) > maxRegistrationID {
			found.add(fmt.Sprintf("%s[%d]", field, i), "must be a string of 1 to %d bytes", maxRegistrationID)
		} else if strings.Contains(id, zero) {
			found.add(fmt.Sprintf("%s[%d]", field, i), "must not have the character U+0000")
		}
		if len(*found) == maxListedFaults {
			return
		}
	}
}

func (d Document) validateCallbackURLs(found *faults) {
	const field = "callback_url"
	var items []any
	switch value := d.members[field].(type) {
	case nil:
		return
	case string:
		items = []any{value}
	case []any:
		items = value
	default:
		found.add(field, "must be an array of URLs")
		return
	}
	if len(items) > MaxCallbackURLs {
		found.add(field, "must have at most %d items", MaxCallbackURLs)
	}
	for i, item := range items {
		text, _ := item.(string)
		if fault := urlFault(text); fault != "" {
			found.add(fmt.Sprintf("%s[%d]", field, i), "%s", fault)
		}
	}
}

func urlFault(text string) string {
	if len(text) > maxURL {
		return fmt.Sprintf("must have at most %d bytes", maxURL)
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Hostname() == "" || (parsed.Scheme != "http" && parsed.Scheme != "https"):
		return "must be an http or https URL"
	case parsed.User != nil:
		return "must not hold a user name or password"
	default:
		return ""
	}
}

func (d Document) validateBody(found *faults) {
	body := d.body()
	if body == nil {
		found.add("body", "must be an object")
		return
	}
	if body["notification"] == nil && body["message"] == nil && body["live_activity"] == nil {
		found.add("body", "give a notification, a message or a live_activity")
	}
	if value := body["notification"]; value != nil && d.notification() == nil {
		found.add("body.notification", "must be an object")
	}
	if value := body["options"]; value != nil && d.options() == nil {
		found.add("body.options", "must be an object")
	}
	if value := d.options()["time_to_live"]; value != nil {
		if seconds, ok := wholeNumber(value); !ok || seconds < 0 || seconds > maxTimeToLive {
			found.add("body.options.time_to_live", "must be whole seconds from 0 to %d", maxTimeToLive)
		}
	}
}
