package policy

import (
	"encoding/json"
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

// QuietHours are a part of each day, by the recipient's clock. Until is on the next day if it is not after From.
//
// Where clocks are put forward, what they skip counts as shown at that moment; where they are put back, what they show
// again begins or ends the hours again.
type QuietHours struct {
	From            TimeOfDay `json:"start"`
	Until           TimeOfDay `json:"end"`
	Drop            bool      `json:"drop,omitempty"`              // instead of deferring to Until
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

// The defaults of what a policy leaves open.
const (
	DefaultHold          = 30 * time.Minute
	DefaultClickWindow   = 24 * time.Hour
	DefaultMinimumSample = 1000
)

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

// Holds reports whether a recipient with this progress is still to be followed up.
func (t Trigger) Holds(progress storage.Progress) bool {
	reached := progress.InAnyStep()
	if t.OnFailure {
		return reached.Has(storage.Failed) && !reached.Has(storage.Delivered)
	}
	return !reached.Has(t.Unless)
}

// HoldFor is how long a step is held at most while it is not known who reacted.
func (p Policy) HoldFor() time.Duration {
	if p.UnknownProgress.HoldFor == nil {
		return DefaultHold
	}
	return *p.UnknownProgress.HoldFor
}

// ClickWindow is how long a recipient has for a click that counts.
func (p Policy) ClickWindow() time.Duration {
	if p.Measurement.ClickWindow == 0 {
		return DefaultClickWindow
	}
	return p.Measurement.ClickWindow
}

// MinimumSample is how many recipients a step and its holdout must each have before the step may pause itself.
func (p Policy) MinimumSample() int {
	if p.Measurement.MinimumSample == 0 {
		return DefaultMinimumSample
	}
	return p.Measurement.MinimumSample
}
