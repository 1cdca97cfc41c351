package storage

import "time"

// LastMessage is the latest message that EngageLab took for a recipient.
type LastMessage struct {
	Ordinal    uint32
	UpstreamID string
}

// Queue is what waits to be sent of a push.
type Queue struct {
	// Units is what its waiting dispatches cost of the app's quota.
	Units int
	// Ahead is what other dispatches of the app cost that are claimed before the last of them.
	Ahead int
	// DueTime is the latest due time of its waiting dispatches.
	DueTime time.Time
}

// ClickCount is how many of some recipients clicked anything of a push.
type ClickCount struct {
	Recipients, Clicked int
}

// Group is a part of a step's recipients that is compared with others.
type Group struct {
	// Holdout is ReasonHoldout or ReasonStepHoldout for those who were held out; empty for those whom EngageLab took it for, and for
	// those who were left out of its dispatch for ReasonMilestoneReached when that was claimed.
	Holdout Reason
	// Variant is what the latter got.
	Variant string
}

// Outcomes are what the follow-ups of a push brought until now.
type Outcomes struct {
	// Steps holds the groups of each step of which something was planned, by its number.
	Steps map[int]map[Group]ClickCount
	// FollowedUp are those of at least one group that was not held out; HeldOut those of whom the policy's holdout kept at least one
	// step.
	FollowedUp, HeldOut ClickCount
}

// Measurement is what a step of a push brought when its click window had ended.
type Measurement struct {
	PushID int64
	Step   int
	// PolicyUID and Key say what is measured: measurements of the same key are of the same thing, and may be added up.
	PolicyUID string
	Key       string
	Time      time.Time
	Groups    map[Group]ClickCount
}

// MeasuredTotal is what several measurements found, added up.
type MeasuredTotal struct {
	Pushes int
	Groups map[Group]ClickCount
}

// History is all that is stored about a recipient's way through a push, but for its events.
type History struct {
	Push      Push
	Recipient Recipient
	// Steps are the follow-ups' timers, ascending.
	Steps []Step
	// Dispatches are those that the recipient is, or was to be, in, ascending by step; with its own upstream id, content
	// and refusal. Their Recipients and Singles are nil.
	Dispatches []Dispatch
	PassedOver []PassedOverOnce
}

// PassedOverOnce is one step that a recipient did not get.
type PassedOverOnce struct {
	Step   int
	Reason Reason
	Time   time.Time
}
