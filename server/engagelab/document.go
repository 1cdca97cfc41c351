package engagelab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// DefaultTimeToLive is what EngageLab assumes when a push says nothing.
const DefaultTimeToLive = 24 * time.Hour

// Document is a push object. It is read through its decoded members and written from the text that came, so that what
// Susul does not touch reaches EngageLab as it was: unknown fields, numbers of any size, even a lone surrogate.
type Document struct {
	members map[string]any
	raw     rawObject
}

// rawObject is a JSON object whose members are left as they were written.
type rawObject map[string]json.RawMessage

// ParseDocument reads one JSON object. Of a name that is there twice, the last one counts.
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
	return Document{members: members, raw: rawMembers(data)}, nil
}

// MarshalJSON returns the document with its members in alphabetical order, so that equal documents are equal bytes.
func (d Document) MarshalJSON() ([]byte, error) { return json.Marshal(d.members) }

// Members returns the document as decoded JSON with json.Number for numbers. It is not to be changed.
func (d Document) Members() map[string]any { return d.members }

// RequestID returns request_id, empty if there is none.
func (d Document) RequestID() string { return stringAt(d.members, "request_id") }

// From returns from, the name of the business that sends; empty if there is none.
func (d Document) From() string { return stringAt(d.members, "from") }

// CustomArgs returns custom_args as decoded JSON: an object, a string, or nil.
func (d Document) CustomArgs() any { return d.members["custom_args"] }

// RawCustomArgs returns custom_args as it was written; nil if there is none. It is not to be changed.
func (d Document) RawCustomArgs() json.RawMessage { return d.raw["custom_args"] }

// PlanID returns the push plan that the push belongs to.
func (d Document) PlanID() string { return stringAt(d.options(), "plan_id") }

// CID returns the caller's own options.cid; empty if there is none.
func (d Document) CID() string { return stringAt(d.options(), "cid") }

// OverrideMsgID returns options.override_msg_id, the message whose notification this one replaces, as it was written;
// empty if there is none.
func (d Document) OverrideMsgID() string {
	switch id := d.options()["override_msg_id"].(type) {
	case string:
		return id
	case json.Number:
		return id.String()
	default:
		return ""
	}
}

// TimeToLive returns how long the push may take to arrive.
func (d Document) TimeToLive() time.Duration {
	seconds, ok := wholeNumber(d.options()["time_to_live"])
	if !ok {
		return DefaultTimeToLive
	}
	return time.Duration(seconds) * time.Second
}

// HasContent reports whether the push shows, or passes on, anything.
func (d Document) HasContent() bool {
	return len(d.notification()) > 0 || object(d.body(), "message") != nil || object(d.body(), "live_activity") != nil
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

// Request is what Susul fills in for one dispatch.
type Request struct {
	// RegistrationIDs are the recipients; nil leaves any other audience as the document has it.
	RegistrationIDs []string
	// Narrowed says that the recipients take the place of another audience, of which they are a part.
	Narrowed bool
	// CallbackURL is where EngageLab is to report; empty for where its console says.
	CallbackURL string
	// CID makes EngageLab recognise a repeated request, for CIDValidity; empty for none.
	CID string
	// OverrideMsgID is what EngageLab calls the message that this one replaces; empty leaves override_msg_id as it is.
	OverrideMsgID string
	// CollapseID becomes the apns_collapse_id of a document that has none of its own; empty for none.
	CollapseID string
}

// For returns the body of one request to EngageLab: the document, but for what is Susul's to fill in. That is
// callback_url, a listed audience, and of the options cid, override_msg_id and apns_collapse_id, if the request has them.
func (d Document) For(r Request) ([]byte, error) {
	root, err := d.filled(r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(root)
}

func (d Document) filled(r Request) (rawObject, error) {
	root := maps.Clone(d.raw)
	delete(root, "callback_url")
	var err error
	if r.CallbackURL != "" {
		root["callback_url"], err = json.Marshal([]string{r.CallbackURL})
	}
	if _, listed := d.RegistrationIDs(); err == nil && (listed || r.RegistrationIDs != nil) {
		root["to"], err = audience(root["to"], r)
	}
	if err == nil && (r.CID != "" || r.OverrideMsgID != "" || r.CollapseID != "") {
		root["body"], err = withOptions(root["body"], r)
	}
	return root, err
}

// audience writes the recipients into the document's audience, or instead of it.
func audience(raw json.RawMessage, r Request) (json.RawMessage, error) {
	to := rawMembers(raw)
	if r.Narrowed {
		to = rawObject{}
	}
	delete(to, "registration_id")
	if r.RegistrationIDs != nil {
		ids, err := json.Marshal(r.RegistrationIDs)
		if err != nil {
			return nil, err
		}
		to["registration_id"] = ids
	}
	return json.Marshal(to)
}

// withOptions writes Susul's options among the body's.
func withOptions(raw json.RawMessage, r Request) (json.RawMessage, error) {
	body := rawMembers(raw)
	options := rawMembers(body["options"])
	if r.OverrideMsgID != "" { // in the form that it had: a number or a string
		quotes := bytes.HasPrefix(options["override_msg_id"], []byte(`"`))
		options["override_msg_id"] = json.RawMessage(r.OverrideMsgID)
		if _, err := strconv.ParseInt(r.OverrideMsgID, 10, 64); quotes || err != nil {
			options["override_msg_id"] = json.RawMessage(strconv.Quote(r.OverrideMsgID))
		}
	}
	var err error
	if r.CID != "" {
		if options["cid"], err = json.Marshal(r.CID); err != nil {
			return nil, err
		}
	}
	if _, own := options["apns_collapse_id"]; !own && r.CollapseID != "" {
		options["apns_collapse_id"] = json.RawMessage(strconv.Quote(r.CollapseID))
	}
	if body["options"], err = json.Marshal(options); err != nil {
		return nil, err
	}
	return json.Marshal(body)
}

// rawMembers returns an object's members; what is not an object has none.
func rawMembers(raw []byte) rawObject {
	var members rawObject
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return rawObject{}
	}
	return members
}

// Overlay returns the document with a title, a text and a JSON merge patch laid over it, in this order. Empty ones leave
// it as it is.
func (d Document) Overlay(title, alert string, patch []byte) (Document, error) {
	if len(patch) > 0 {
		data, err := json.Marshal(d.raw)
		if err != nil {
			return Document{}, err
		}
		if data, err = jsonpatch.MergePatch(data, patch); err != nil {
			return Document{}, fmt.Errorf("lay a follow-up's content over the push: %w", err)
		}
		if d, err = ParseDocument(data); err != nil {
			return Document{}, err
		}
	}
	if d.notification() == nil || title == "" && alert == "" {
		return d, nil
	}
	return d.reworded(title, alert)
}

// reworded returns the document with another title and text in its notification. It copies what it changes, and no more: a batch is made
// of hundreds of such documents.
func (d Document) reworded(title, alert string) (Document, error) {
	body := rawMembers(d.raw["body"])
	parsed, err := ParseDocument(body["notification"])
	if err != nil {
		return Document{}, err
	}
	notification := parsed.members // nobody else's, so that it may be changed in place
	setAlert(notification, alert)
	setTitle(notification, title, d.Platforms())
	if body["notification"], err = json.Marshal(notification); err != nil {
		return Document{}, err
	}
	changed := Document{members: maps.Clone(d.members), raw: maps.Clone(d.raw)}
	members := maps.Clone(d.body())
	members["notification"] = notification
	changed.members["body"] = members
	changed.raw["body"], err = json.Marshal(body)
	return changed, err
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

func stringAt(parent map[string]any, name string) string {
	text, _ := parent[name].(string)
	return text
}

// wholeNumber accepts a number or, as some clients write it, a number in a string. 60.0 and 6e1 are whole too.
func wholeNumber(value any) (int64, bool) {
	text, ok := value.(string)
	if number, isNumber := value.(json.Number); isNumber {
		text, ok = number.String(), true
	}
	if !ok {
		return 0, false
	}
	const exact = 1 << 53 // beyond this a float no longer holds every integer
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < exact
}
