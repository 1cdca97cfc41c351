package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
)

const (
	maxBody            = 1 << 20 // bytes
	maxRegistrationIDs = 1000
	maxBatchTargets    = 500
	maxTimeToLive      = 15 * 24 * 60 * 60 // seconds
	maxCollapseID      = 64                // bytes, as Apple has it
)

// push is a push object, as far as the sandbox acts on it. What it does not know it accepts. It is deliberately not read
// with engagelab.Document: a stand-in that shared that reading would share its mistakes.
type push struct {
	requestID    string
	cid          string
	planID       string
	overrides    int64  // the message whose notification it replaces; 0 if none
	collapseID   string // apns_collapse_id
	audience     audience
	customArgs   json.RawMessage
	callbackURLs []string
	timeToLive   time.Duration
	content      map[string]Content
	notification bool // else it is a pass-through message or a live activity
}

// audience is the "to" of a push; the zero value means everyone.
type audience struct {
	RegistrationID []string       `json:"registration_id"`
	Tag            []string       `json:"tag"`
	TagAnd         []string       `json:"tag_and"`
	TagNot         []string       `json:"tag_not"`
	Alias          []string       `json:"alias"`
	LiveActivityID string         `json:"live_activity_id"`
	Segment        map[string]any `json:"seg"`
}

// Content is what a device shows of a message.
type Content struct {
	Title string `json:"title"`
	Alert string `json:"alert"`
}

// object is a JSON object whose members are not looked into yet.
type object map[string]json.RawMessage

// has reports whether a member is there and not null.
func (o object) has(name string) bool { return len(o[name]) > 0 && string(o[name]) != "null" }

// reader collects a document's faults; the first one decides the code that EngageLab would answer with.
type reader struct {
	code   int
	faults []string
}

func (r *reader) fault(code int, format string, args ...any) {
	if r.code == 0 {
		r.code = code
	}
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *reader) missing(path string) { r.fault(engagelab.CodeMissingParameter, "%s is missing", path) }

func (r *reader) invalid(path, want string) {
	r.fault(engagelab.CodeInvalidParameter, "%s must be %s", path, want)
}

func (r *reader) refusal() error {
	if len(r.faults) == 0 {
		return nil
	}
	return refuse(http.StatusBadRequest, r.code, strings.Join(r.faults, "; "))
}

func refuse(status, code int, message string) error {
	return &engagelab.Error{HTTPStatus: status, Code: code, Message: message}
}

// read decodes a member if it is there, and reports whether it was and had the wanted type.
func read[T any](r *reader, in object, name, path, want string) (value T, ok bool) {
	if !in.has(name) {
		return value, false
	}
	if err := json.Unmarshal(in[name], &value); err != nil {
		r.invalid(path, want)
		return *new(T), false
	}
	return value, true
}

// readPush reads and checks a push object.
func readPush(document []byte) (push, error) {
	var doc object
	if err := json.Unmarshal(document, &doc); err != nil {
		return push{}, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, "the body is not a JSON object")
	}
	r := &reader{}
	p := push{}
	p.audience = r.audience(doc)
	r.envelope(doc, &p)
	if body, ok := read[object](r, doc, "body", "body", "an object"); ok {
		r.body(body, &p)
	} else if !doc.has("body") {
		r.missing("body")
	}
	return p, r.refusal()
}

// envelope reads what stands around the body.
func (r *reader) envelope(doc object, p *push) {
	p.requestID, _ = read[string](r, doc, "request_id", "request_id", "a string")
	if doc.has("custom_args") {
		p.customArgs = doc["custom_args"]
		if c := p.customArgs[0]; c != '{' && c != '"' {
			r.invalid("custom_args", "an object or a string")
		}
	}
	if !doc.has("callback_url") {
		return
	}
	var one string
	if json.Unmarshal(doc["callback_url"], &one) == nil {
		p.callbackURLs = []string{one}
	} else {
		p.callbackURLs, _ = read[[]string](r, doc, "callback_url", "callback_url", "an array of strings")
	}
	if slices.ContainsFunc(p.callbackURLs, func(u string) bool { return !isWebAddress(u) }) {
		r.invalid("callback_url", "http or https addresses")
	}
}

func (r *reader) audience(doc object) audience {
	var all string
	if !doc.has("to") {
		r.missing("to")
		return audience{}
	}
	if json.Unmarshal(doc["to"], &all) == nil {
		if all != "all" {
			r.invalid("to", `"all" or an object`)
		}
		return audience{}
	}
	to, isObject := read[audience](r, doc, "to", "to", `"all" or an object of lists of strings`)
	if !isObject {
		return to
	}
	selectors := len(to.Tag)+len(to.TagAnd)+len(to.TagNot)+len(to.Segment) > 0 || to.LiveActivityID != ""
	kinds := 0
	for _, used := range []bool{len(to.RegistrationID) > 0, len(to.Alias) > 0, selectors} {
		if used {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		r.missing("an audience in to")
	case kinds > 1:
		r.invalid("to", "one kind of audience: registration_id, alias, or tags and segments")
	case len(to.RegistrationID) > maxRegistrationIDs:
		r.invalid("to.registration_id", fmt.Sprintf("at most %d ids", maxRegistrationIDs))
	case slices.Contains(to.RegistrationID, "") || slices.Contains(to.Alias, ""):
		r.invalid("to", "free of empty strings")
	}
	return to
}

var (
	platformNames = []string{"android", "ios", "hmos", "web"}
	validCID      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func (r *reader) body(body object, p *push) {
	platforms := r.platforms(body)
	notification, hasNotification := read[object](r, body, "notification", "body.notification", "an object")
	message, _ := read[object](r, body, "message", "body.message", "an object")
	read[object](r, body, "live_activity", "body.live_activity", "an object")
	if !body.has("notification") && !body.has("message") && !body.has("live_activity") {
		r.missing("body.notification or body.message")
	}
	p.notification = hasNotification
	p.content = r.content(platforms, notification, message)

	p.timeToLive = engagelab.DefaultTimeToLive
	options, _ := read[object](r, body, "options", "body.options", "an object")
	if number, ok := read[json.Number](r, options, "time_to_live", "body.options.time_to_live", "a number"); ok {
		seconds, err := number.Int64()
		p.timeToLive = time.Duration(seconds) * time.Second
		if err != nil || seconds < 0 || seconds > maxTimeToLive {
			r.invalid("body.options.time_to_live", fmt.Sprintf("whole seconds from 0 to %d", maxTimeToLive))
		}
	}
	p.planID, _ = read[string](r, options, "plan_id", "body.options.plan_id", "a string")
	if number, ok := read[json.Number](r, options, "override_msg_id", "body.options.override_msg_id", "a msg_id"); ok {
		var err error
		if p.overrides, err = number.Int64(); err != nil || p.overrides <= 0 {
			r.invalid("body.options.override_msg_id", "a msg_id")
		}
	}
	p.collapseID, _ = read[string](r, options, "apns_collapse_id", "body.options.apns_collapse_id", "a string")
	if len(p.collapseID) > maxCollapseID {
		r.invalid("body.options.apns_collapse_id", fmt.Sprintf("at most %d bytes", maxCollapseID))
	}
	if cid, ok := read[string](r, options, "cid", "body.options.cid", "a string"); ok {
		p.cid = cid
		if !validCID.MatchString(cid) {
			r.invalid("body.options.cid", "1 to 64 letters, digits, _ and -")
		}
	}
}

func (r *reader) platforms(body object) []string {
	const path, want = "body.platform", `"all", a platform or a list of platforms`
	if !body.has("platform") {
		r.missing(path)
		return nil
	}
	var one string
	var names []string
	if json.Unmarshal(body["platform"], &one) == nil {
		names = []string{one}
	} else {
		names, _ = read[[]string](r, body, "platform", path, want)
	}
	if slices.Contains(names, "all") {
		return platformNames
	}
	unknown := func(name string) bool { return !slices.Contains(platformNames, name) }
	if len(names) == 0 && len(r.faults) == 0 || slices.ContainsFunc(names, unknown) {
		r.invalid(path, want)
	}
	return names
}

// content works out what each platform shows: its own title and alert, or else what all platforms share.
func (r *reader) content(platforms []string, notification, message object) map[string]Content {
	common, _ := read[string](r, notification, "alert", "body.notification.alert", "a string")
	title, _ := read[string](r, message, "title", "body.message.title", "a string")
	text, _ := read[string](r, message, "msg_content", "body.message.msg_content", "a string")
	shown := map[string]Content{}
	for _, platform := range platforms {
		if notification == nil {
			shown[platform] = Content{Title: title, Alert: text}
			continue
		}
		path := "body.notification." + platform
		own, _ := read[object](r, notification, platform, path, "an object")
		c := Content{Alert: common}
		c.Title, _ = read[string](r, own, "title", path+".title", "a string")
		var rich struct{ Title, Body string }
		if platform == "ios" && own.has("alert") && json.Unmarshal(own["alert"], &rich) == nil {
			c = Content{Title: rich.Title, Alert: rich.Body}
		} else if alert, ok := read[string](r, own, "alert", path+".alert", "a string"); ok {
			c.Alert = alert
		}
		shown[platform] = c
	}
	return shown
}
