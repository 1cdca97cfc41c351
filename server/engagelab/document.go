package engagelab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// DefaultTimeToLive is what EngageLab assumes when a push says nothing.
const DefaultTimeToLive = 24 * time.Hour

// Document is a push object. What Susul does not know stays in it unchanged, numbers as they were written.
type Document struct {
	members map[string]any
}

// ParseDocument reads one JSON object.
func ParseDocument(data []byte) (Document, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var members map[string]any
	switch err := decoder.Decode(&members); {
	case errors.Is(err, io.EOF):
		return Document{}, errors.New("the body is empty: send a JSON object")
	case errors.As(err, new(*json.UnmarshalTypeError)) || err == nil && members == nil:
		return Document{}, errors.New("the body is JSON, but not an object")
	case err != nil:
		return Document{}, fmt.Errorf("the body is not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Document{}, errors.New("the body is not one JSON object: something follows it")
	}
	return Document{members: members}, nil
}

// MarshalJSON returns the document with its members in alphabetical order, so that equal documents are equal bytes.
func (d Document) MarshalJSON() ([]byte, error) { return json.Marshal(d.members) }

// Members returns the document as decoded JSON with json.Number for numbers. It is not to be changed.
func (d Document) Members() map[string]any { return d.members }

// RequestID returns request_id, empty if there is none.
func (d Document) RequestID() string { return stringAt(d.members, "request_id") }

// CustomArgs returns custom_args as decoded JSON: an object, a string, or nil.
func (d Document) CustomArgs() any { return d.members["custom_args"] }

// PlanID returns the push plan that the push belongs to.
func (d Document) PlanID() string { return stringAt(d.options(), "plan_id") }

// CID returns the caller's own options.cid; empty if there is none.
func (d Document) CID() string { return stringAt(d.options(), "cid") }

// TimeToLive returns how long the push may take to arrive.
func (d Document) TimeToLive() time.Duration {
	seconds, ok := wholeNumber(d.options()["time_to_live"])
	if !ok {
		return DefaultTimeToLive
	}
	return time.Duration(seconds) * time.Second
}

// RegistrationIDs returns the listed audience without repeats, and whether the audience is a list at all.
func (d Document) RegistrationIDs() (ids []string, listed bool) {
	to, _ := d.members["to"].(map[string]any)
	raw, listed := to["registration_id"].([]any)
	if !listed {
		return nil, false
	}
	ids = make([]string, 0, len(raw))
	seen := make(map[string]struct{}, len(raw))
	for _, value := range raw {
		id, _ := value.(string)
		if _, repeated := seen[id]; !repeated {
			seen[id] = struct{}{}
			ids = append(ids, id)
		}
	}
	return ids, true
}

// CallbackURLs returns callback_url, which may be an array or one string.
func (d Document) CallbackURLs() []string {
	switch value := d.members["callback_url"].(type) {
	case string:
		return []string{value}
	case []any:
		urls := make([]string, 0, len(value))
		for _, item := range value {
			if url, ok := item.(string); ok {
				urls = append(urls, url)
			}
		}
		return urls
	default:
		return nil
	}
}

// Platforms returns the platforms that the push is for, whichever of the three forms names them.
func (d Document) Platforms() []string {
	switch value := d.body()["platform"].(type) {
	case string:
		if value == "all" {
			return slices.Clone(allPlatforms)
		}
		return []string{value}
	case []any:
		var platforms []string
		for _, item := range value {
			if platform, ok := item.(string); ok {
				platforms = append(platforms, platform)
			}
		}
		return platforms
	default:
		return slices.Clone(allPlatforms)
	}
}

// Extras returns the extras of all platforms in one object; those of earlier platforms win.
func (d Document) Extras() map[string]any {
	all := make(map[string]any)
	for _, platform := range slices.Backward(allPlatforms) {
		maps.Copy(all, object(object(d.notification(), platform), "extras"))
	}
	return all
}

// WithoutOwn returns the document without what is Susul's to fill in: callback_url and a listed audience.
func (d Document) WithoutOwn() Document {
	members := maps.Clone(d.members)
	delete(members, "callback_url")
	if to, ok := members["to"].(map[string]any); ok {
		to = maps.Clone(to)
		delete(to, "registration_id")
		members["to"] = to
	}
	return Document{members: members}
}

// Request is what Susul fills in for one dispatch.
type Request struct {
	// RegistrationIDs are the recipients; nil leaves the audience as the document has it.
	RegistrationIDs []string
	// CallbackURL is where EngageLab is to report; empty for where its console says.
	CallbackURL string
	// CID makes EngageLab recognise a repeated request; empty for none.
	CID string
}

// For returns the body of one request to EngageLab.
func (d Document) For(r Request) ([]byte, error) {
	members := maps.Clone(d.members)
	if r.RegistrationIDs != nil {
		to := cloneObject(members, "to")
		for _, selector := range selectors {
			delete(to, selector)
		}
		to["registration_id"] = r.RegistrationIDs
	}
	if r.CallbackURL != "" {
		members["callback_url"] = []string{r.CallbackURL}
	}
	if r.CID != "" {
		options := cloneObject(cloneObject(members, "body"), "options")
		options["cid"] = r.CID
	}
	return json.Marshal(members)
}

// Overlay returns the document with a title, a text and a JSON merge patch laid over it, in this order. Empty ones leave
// it as it is.
func (d Document) Overlay(title, alert string, patch []byte) (Document, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return Document{}, err
	}
	if len(patch) > 0 {
		if data, err = jsonpatch.MergePatch(data, patch); err != nil {
			return Document{}, fmt.Errorf("lay a follow-up's content over the push: %w", err)
		}
	}
	changed, err := ParseDocument(data)
	if err != nil {
		return Document{}, err
	}
	// The copy that was just parsed is nobody else's, so it may be changed in place.
	if notification := changed.notification(); notification != nil {
		setAlert(notification, alert)
		setTitle(notification, title, changed.Platforms())
	}
	return changed, nil
}

func setAlert(notification map[string]any, alert string) {
	if alert == "" {
		return
	}
	_, common := notification["alert"]
	everywhere := true // nothing says on which platforms it is shown
	for _, platform := range allPlatforms {
		own := object(notification, platform)
		if own == nil {
			continue
		}
		everywhere = false
		if parts := object(own, "alert"); parts != nil { // iOS may split its alert
			parts["body"] = alert
		} else {
			own["alert"] = alert
		}
	}
	if common || everywhere {
		notification["alert"] = alert
	}
}

// setTitle gives each platform the title. One that has the common text only gets a notification of its own, but for
// HarmonyOS, whose notifications need a category that nobody has given.
func setTitle(notification map[string]any, title string, platforms []string) {
	if title == "" {
		return
	}
	for _, platform := range platforms {
		own := object(notification, platform)
		if own == nil {
			common, ok := notification["alert"].(string)
			if !ok || platform == platformHMOS {
				continue
			}
			own = map[string]any{"alert": common}
			notification[platform] = own
		}
		if platform != platformIOS {
			own["title"] = title
			continue
		}
		parts := object(own, "alert")
		if parts == nil {
			parts = map[string]any{"body": stringAt(own, "alert")}
			own["alert"] = parts
		}
		parts["title"] = title
	}
}

const (
	platformIOS  = "ios"
	platformHMOS = "hmos"
)

var allPlatforms = []string{"android", platformIOS, platformHMOS, "web"}

func (d Document) body() map[string]any         { return object(d.members, "body") }
func (d Document) options() map[string]any      { return object(d.body(), "options") }
func (d Document) notification() map[string]any { return object(d.body(), "notification") }

// object returns the member if it is an object, else nil.
func object(parent map[string]any, name string) map[string]any {
	child, _ := parent[name].(map[string]any)
	return child
}

// cloneObject replaces a member by a copy of it, or by an empty object, and returns that.
func cloneObject(parent map[string]any, name string) map[string]any {
	child := maps.Clone(object(parent, name))
	if child == nil {
		child = make(map[string]any)
	}
	parent[name] = child
	return child
}

func stringAt(parent map[string]any, name string) string {
	text, _ := parent[name].(string)
	return text
}

// wholeNumber accepts a number or, as some clients write it, a number in a string.
func wholeNumber(value any) (int64, bool) {
	text, ok := value.(string)
	if number, isNumber := value.(json.Number); isNumber {
		text, ok = number.String(), true
	}
	if !ok {
		return 0, false
	}
	n, err := json.Number(strings.TrimSpace(text)).Int64()
	return n, err == nil
}
