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
	Steps      []Step    `json:"steps"`
	CreateTime time.Time `json:"create_time,omitzero"`
	UpdateTime time.Time `json:"update_time,omitzero"`
	// Revision is the etcd revision of this version. It is filled in when the policy is read.
	Revision int64 `json:"-"`
}

// Trigger is the condition for follow-ups: the recipient did not reach Unless (or beyond) Within the first sending.
type Trigger struct {
	Unless storage.Milestone
	Within time.Duration
}

// Step is one follow-up, due After the trigger's moment.
type Step struct {
	After   time.Duration
	Content Content
}

// Content is laid over the push. Every string, also those nested in Overlay, is a Liquid template over push,
// custom_args, device and step.
type Content struct {
	Title string `json:"title,omitempty"`
	Alert string `json:"alert,omitempty"`
	// Overlay is an object: a JSON merge patch (RFC 7386) over the push's document. Its keys are no templates.
	Overlay json.RawMessage `json:"overlay,omitempty"`
}

// Offset is the time from the first sending to the moment when Steps[i] is due.
func (p Policy) Offset(i int) time.Duration { return p.Trigger.Within + p.Steps[i].After }

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
