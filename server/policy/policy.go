package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"susul.dev/susul/storage"
)

// Policy says whom to follow up, when and with what. As JSON, in etcd and pinned to pushes, its durations read "2h0m0s"
// and its milestones "CLICKED".
type Policy struct {
	// ID names the policy: lower-case letters, digits and hyphens.
	ID string `json:"id"`
	// UID is new with every creation, so that a policy that was deleted and created again is another one.
	UID string `json:"uid"`
	// App is the only app that the policy is for; empty means all of them.
	App         string `json:"app,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
	Description string `json:"description,omitempty"`
	// Priority decides between policies that match the same push: the higher wins, then the lower ID.
	Priority int32 `json:"priority,omitempty"`
	// Match is a CEL expression over the push; see Attributes. A policy without one is only for pushes that name it.
	Match string `json:"match,omitempty"`
	// Paused keeps the policy from new pushes and stops the pending steps of those that have it.
	Paused  bool    `json:"paused,omitempty"`
	Trigger Trigger `json:"trigger"`
	// Steps are the follow-ups: Steps[i] is step i+1, since step 0 is the first sending.
	Steps  []Step `json:"steps"`
	Limits Limits `json:"limits,omitzero"`
	// HoldoutPermille of the recipients get no follow-up at all: 0…500.
	HoldoutPermille int `json:"holdout_permille,omitempty"`
	// Stack lets follow-ups stand beside the earlier notification instead of replacing it.
	Stack           bool            `json:"stack,omitempty"`
	UnknownProgress UnknownProgress `json:"unknown_progress,omitzero"`
	Measurement     Measurement     `json:"measurement,omitzero"`
	CreateTime      time.Time       `json:"create_time,omitzero"`
	UpdateTime      time.Time       `json:"update_time,omitzero"`
	// Revision is the etcd revision of this version. It is filled in when the policy is read.
	Revision int64 `json:"-"`
}

// Trigger is the condition for follow-ups: Within the first sending, the recipient did not reach Unless (or beyond); or,
// OnFailure, a sending failed for it, and none was delivered.
type Trigger struct {
	Unless    storage.Milestone `json:"unless,omitempty"` // MilestoneUnknown with OnFailure
	OnFailure bool              `json:"on_failure,omitempty"`
	Within    time.Duration     `json:"within"`
}

// Step is one follow-up.
type Step struct {
	// After counts from Origin.
	After  time.Duration `json:"after"`
	Origin Origin        `json:"origin,omitempty"`
	// OnlyIf is a CEL expression over a recipient; see Subject. Empty is true for everybody.
	OnlyIf string `json:"only_if,omitempty"`
	// Contents is what a step without Variants sends.
	Contents
	Variants []Variant `json:"variants,omitempty"`
	// Optimize lets the variants' shares follow from what was measured, instead of from their weights.
	Optimize        bool `json:"optimize,omitempty"`
	HoldoutPermille int  `json:"holdout_permille,omitempty"` // 0…500, of this step alone
	Paused          bool `json:"paused,omitempty"`
	// PauseReason is why the step paused itself; empty if an administrator paused it.
	PauseReason string `json:"pause_reason,omitempty"`
	// MeasuredSince is when the step was last resumed after it had paused itself; what was measured before does not count.
	MeasuredSince time.Time `json:"measured_since,omitzero"`
}

// Origin is what a step's After counts from.
type Origin string

// The origins.
const (
	FromTrigger      Origin = "" // first sending + Trigger.Within
	FromPreviousStep Origin = "PREVIOUS_STEP"
	FromFirstSending Origin = "FIRST_SENDING"
)

// Variant is one of several contents of a step that are tried against each other.
type Variant struct {
	ID     string `json:"id"`
	Weight int    `json:"weight,omitempty"` // relative to the others'; all 0 are equal
	Contents
}

// Contents is what recipients get, by how far the earlier sendings got with them. One that is nil is Content.
type Contents struct {
	Content               *Content `json:"content,omitempty"`
	NeverDelivered        *Content `json:"never_delivered,omitempty"`
	DeliveredNotDisplayed *Content `json:"delivered_not_displayed,omitempty"`
	DisplayedNotClicked   *Content `json:"displayed_not_clicked,omitempty"`
	// Plain is for those for whom a template fails. It has no templates. Nil is the text of the first sending.
	Plain *Content `json:"plain,omitempty"`
}

// Content is laid over the push. Every string, also those nested in Overlay, is a Liquid template over push,
// custom_args, device and step.
type Content struct {
	Title string `json:"title,omitempty"`
	Alert string `json:"alert,omitempty"`
	// Overlay is an object: a JSON merge patch (RFC 7386) over the push's document. Its keys are no templates.
	Overlay json.RawMessage `json:"overlay,omitempty"`
}

// Limits bound follow-ups. Zero fields do not.
type Limits struct {
	QuietHours   *QuietHours   `json:"quiet_hours,omitempty"`
	FrequencyCap *FrequencyCap `json:"frequency_cap,omitempty"`
	MinimumGap   time.Duration `json:"minimum_gap,omitempty"`
	ExpireAfter  time.Duration `json:"expire_after,omitempty"` // counted from the first sending
}

// QuietHours are a part of each day, by the recipient's clock. End is on the next day if it is not after Start.
type QuietHours struct {
	Start           TimeOfDay `json:"start"`
	End             TimeOfDay `json:"end"`
	Drop            bool      `json:"drop,omitempty"`              // instead of deferring to End
	DefaultTimeZone string    `json:"default_time_zone,omitempty"` // of devices of which none is known; empty is UTC
}

// FrequencyCap is a number of messages in a rolling window.
type FrequencyCap struct {
	Messages int           `json:"messages"`
	Window   time.Duration `json:"window"`
}

// UnknownProgress says what becomes of a step when it can't be found out who reacted.
type UnknownProgress struct {
	HoldFor *time.Duration `json:"hold_for,omitempty"` // nil is DefaultHold
	Send    bool           `json:"send,omitempty"`     // after that; else the step is cancelled
}

// Measurement says how the effect of follow-ups is measured. Zero fields are the defaults.
type Measurement struct {
	ClickWindow   time.Duration `json:"click_window,omitempty"`
	MinimumSample int           `json:"minimum_sample,omitempty"`
}

// Offset is the time from the first sending to the moment when Steps[i] is due.
func (p Policy) Offset(i int) time.Duration {
	step := p.Steps[i]
	switch {
	case step.Origin == FromFirstSending:
		return step.After
	case step.Origin == FromPreviousStep && i > 0:
		return p.Offset(i-1) + step.After
	default:
		return p.Trigger.Within + step.After
	}
}

// Encode returns the policy as JSON: what etcd stores and what is pinned to a push.
func (p Policy) Encode() ([]byte, error) { return encode(p) }

// Decode reads what Encode wrote. The revision is kept beside the encoding, not in it.
func Decode(spec []byte, revision int64) (Policy, error) {
	if len(spec) > MaxSize {
		return Policy{}, fmt.Errorf("policy of %d bytes is larger than %d", len(spec), MaxSize)
	}
	var p Policy
	if err := json.Unmarshal(spec, &p); err != nil {
		return Policy{}, fmt.Errorf("decode policy: %w", err)
	}
	p.Revision = revision
	return p, nil
}

type triggerJSON struct {
	Unless string   `json:"unless"`
	Within duration `json:"within"`
}

// MarshalJSON writes the milestone by name.
func (t Trigger) MarshalJSON() ([]byte, error) {
	return json.Marshal(triggerJSON{t.Unless.String(), duration(t.Within)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Trigger) UnmarshalJSON(b []byte) error {
	var j triggerJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	for m := storage.MilestoneUnknown; m <= storage.Failed; m++ {
		if m.String() == j.Unless {
			*t = Trigger{Unless: m, Within: time.Duration(j.Within)}
			return nil
		}
	}
	return fmt.Errorf("unknown milestone %q", j.Unless)
}

type stepJSON struct {
	After   duration `json:"after"`
	Content Content  `json:"content"`
}

// MarshalJSON writes the duration readably.
func (s Step) MarshalJSON() ([]byte, error) { return encode(stepJSON{duration(s.After), s.Content}) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Step) UnmarshalJSON(b []byte) error {
	var j stepJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Step{After: time.Duration(j.After), Content: j.Content}
	return nil
}

// duration is a time.Duration that reads "1h30m0s" in JSON.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = duration(parsed)
	return err
}

// encode is json.Marshal without the escapes for HTML, which only make texts hard to read. Object keys are sorted, so
// that equal values are equal bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
