package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"susul.dev/susul/storage"
)

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

// Each readable method below returns a view of a struct, for JSON in both directions: its own fields hide those of the
// embedded struct that have the same names.

func (t *Trigger) readable() any {
	type rest Trigger
	return &struct {
		Unless *milestone `json:"unless,omitzero"`
		Within *duration  `json:"within"`
		*rest
	}{(*milestone)(&t.Unless), (*duration)(&t.Within), (*rest)(t)}
}

func (s *Step) readable() any {
	type rest Step
	return &struct {
		After *duration `json:"after"`
		*rest
	}{(*duration)(&s.After), (*rest)(s)}
}

func (l *Limits) readable() any {
	type rest Limits
	return &struct {
		*rest
		MinimumGap  *duration `json:"minimum_gap,omitzero"`
		ExpireAfter *duration `json:"expire_after,omitzero"`
	}{(*rest)(l), (*duration)(&l.MinimumGap), (*duration)(&l.ExpireAfter)}
}

func (c *FrequencyCap) readable() any {
	type rest FrequencyCap
	return &struct {
		*rest
		Window *duration `json:"window"`
	}{(*rest)(c), (*duration)(&c.Window)}
}

func (m *Measurement) readable() any {
	type rest Measurement
	return &struct {
		ClickWindow *duration `json:"click_window,omitzero"`
		*rest
	}{(*duration)(&m.ClickWindow), (*rest)(m)}
}

// MarshalJSON writes the duration and the milestone readably.
func (t Trigger) MarshalJSON() ([]byte, error) { return encode(t.readable()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Trigger) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, t.readable()) }

// MarshalJSON writes the duration readably.
func (s Step) MarshalJSON() ([]byte, error) { return encode(s.readable()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Step) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, s.readable()) }

// MarshalJSON writes the durations readably.
func (l Limits) MarshalJSON() ([]byte, error) { return encode(l.readable()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Limits) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, l.readable()) }

// MarshalJSON writes the duration readably.
func (c FrequencyCap) MarshalJSON() ([]byte, error) { return encode(c.readable()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *FrequencyCap) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, c.readable()) }

// MarshalJSON writes the duration readably.
func (m Measurement) MarshalJSON() ([]byte, error) { return encode(m.readable()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Measurement) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, m.readable()) }

type unknownProgressJSON struct {
	HoldFor *duration `json:"hold_for,omitempty"`
	Send    bool      `json:"send,omitempty"`
}

// MarshalJSON writes the duration readably.
func (u UnknownProgress) MarshalJSON() ([]byte, error) {
	return encode(unknownProgressJSON{(*duration)(u.HoldFor), u.Send})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (u *UnknownProgress) UnmarshalJSON(b []byte) error {
	var j unknownProgressJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*u = UnknownProgress{HoldFor: (*time.Duration)(j.HoldFor), Send: j.Send}
	return nil
}

// duration is a time.Duration that reads "1h30m0s" in JSON.
type duration time.Duration

func (d duration) IsZero() bool { return d == 0 }

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = duration(parsed)
	return err
}

// milestone is a storage.Milestone that reads "CLICKED" in JSON.
type milestone storage.Milestone

func (m milestone) IsZero() bool { return storage.Milestone(m) == storage.MilestoneUnknown }

func (m milestone) MarshalText() ([]byte, error) { return []byte(storage.Milestone(m).String()), nil }

func (m *milestone) UnmarshalText(b []byte) error {
	for known := storage.MilestoneUnknown; known <= storage.Failed; known++ {
		if known.String() == string(b) {
			*m = milestone(known)
			return nil
		}
	}
	return fmt.Errorf("unknown milestone %q", b)
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
