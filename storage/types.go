package storage

import "time"

// Bounds that every backend holds.
const (
	// MaxPage is the longest page that a read returns, in rows; also the most dispatches that one claim takes.
	MaxPage = 10_000

	// MaxRaw is how much is kept of a callback's row as it came, in bytes.
	MaxRaw = 4 << 10
)

// PushState is where a push stands.
type PushState string

// The states of a push. Only an active push has steps and dispatches to come.
const (
	PushActive      PushState = "ACTIVE"
	PushRejected    PushState = "REJECTED"    // EngageLab refused the first dispatch for good; nothing was sent
	PushExpired     PushState = "EXPIRED"     // its time to live ended before EngageLab was known to have taken it
	PushWithdrawing PushState = "WITHDRAWING" // nothing more is sent; EngageLab has not confirmed the withdrawal yet
	PushWithdrawn   PushState = "WITHDRAWN"
)

// Push is one logical message with an audience.
type Push struct {
	// ID is the msg_id: time-ordered and positive.
	ID  int64
	App string
	// RequestID is the caller's own key; unique per app among pushes that were neither rejected nor expired. May be
	// empty.
	RequestID string
	// Fingerprint tells a repeated request from a reused RequestID.
	Fingerprint []byte
	// Document is EngageLab's push object as it came, without the members that are Susul's own.
	Document []byte
	// Listed says that the audience is a list of registration ids; otherwise recipients become known by callbacks.
	Listed bool
	// External says that the push was not made through Susul: its callbacks made it known.
	External     bool
	CallbackURLs []string
	Policy       *PinnedPolicy // nil: no follow-ups
	TimeToLive   time.Duration

	State         PushState
	Refusal       *Refusal // why EngageLab rejected the push
	CreateTime    time.Time
	FirstSentTime time.Time // zero until EngageLab took the first dispatch
	Recipients    int       // how many are known
}

// PinnedPolicy is a resend policy as it was when a push was accepted.
type PinnedPolicy struct {
	Name     string
	UID      string
	Revision int64
	// Spec is the policy at that revision, in the encoding of package policy.
	Spec []byte
}

// Refusal is EngageLab's (or Susul's) final word on a dispatch.
type Refusal struct {
	HTTPStatus int
	Code       int
	Message    string
}

// Recipient is one registration id of one push.
type Recipient struct {
	Ordinal        uint32
	RegistrationID string
	Progress       Progress
}

// StepState is where a step's timer stands.
type StepState string

// The states of a step.
const (
	StepWaiting   StepState = "WAITING"   // the first sending has not happened yet, so that the step has no due time
	StepScheduled StepState = "SCHEDULED" // due at DueTime; being planned when NextOrdinal > 0
	StepPlanned   StepState = "PLANNED"   // all of its dispatches exist
	StepCancelled StepState = "CANCELLED"
)

// Step is one sending of a push. Step 0 is the first sending and has no timer.
type Step struct {
	PushID int64
	Number int
	State  StepState
	// Offset is the time from the first sending to the step's due time.
	Offset  time.Duration
	DueTime time.Time // zero while the step waits
	// NextOrdinal is the first recipient that planning has not looked at.
	NextOrdinal  uint32
	CancelReason Reason
	HoldTime     time.Time // since when the step is held; zero if it never was, or goes on
	MeasureTime  time.Time // when what it brought is to be measured; zero for never, or once it is
}

// Reason says why a recipient was passed over, or why a step or dispatch was cancelled.
type Reason string

// The reasons for which a recipient is passed over.
const (
	ReasonMilestoneReached Reason = "MILESTONE_REACHED" // the trigger's condition does not, or no longer, hold
	ReasonInvalidDevice    Reason = "INVALID_DEVICE"    // the device's token is dead
	ReasonConditionFalse   Reason = "CONDITION_FALSE"   // the step's only_if does not hold
	ReasonConditionFailed  Reason = "CONDITION_FAILED"  // it can't be evaluated for the recipient
	ReasonLimitExpired     Reason = "LIMIT_EXPIRED"     // it would be later than the policy allows
	ReasonFrequencyCap     Reason = "FREQUENCY_CAP"
	ReasonMinimumGap       Reason = "MINIMUM_GAP"
	ReasonQuietHours       Reason = "QUIET_HOURS"
	ReasonHoldout          Reason = "HOLDOUT"      // the policy's
	ReasonStepHoldout      Reason = "STEP_HOLDOUT" // the step's own
	ReasonTemplateFailed   Reason = "TEMPLATE_FAILED"
)

// The reasons for which a step or dispatch is cancelled.
const (
	ReasonPolicyPaused     Reason = "POLICY_PAUSED"
	ReasonStepPaused       Reason = "STEP_PAUSED"
	ReasonFollowUpsStopped Reason = "FOLLOW_UPS_STOPPED" // the app's kill switch
	ReasonUnknownProgress  Reason = "UNKNOWN_PROGRESS"   // who reacted could not be found out in time
	ReasonNobodyLeft       Reason = "NOBODY_LEFT"        // all recipients of a skipped dispatch were passed over
	ReasonSuperseded       Reason = "SUPERSEDED"         // it had not gone out when a later step was due
	ReasonPolicyDeleted    Reason = "POLICY_DELETED"
	ReasonWithdrawn        Reason = "WITHDRAWN"
	ReasonRejected         Reason = "REJECTED"    // EngageLab refused the push
	ReasonExpired          Reason = "EXPIRED"     // its time to live ended before EngageLab could take it
	ReasonUnanswered       Reason = "UNANSWERED"  // whether an earlier dispatch was taken was never learnt
	ReasonUnknownApp       Reason = "UNKNOWN_APP" // the configuration no longer has the push's app
	ReasonUnusable         Reason = "UNUSABLE"    // the pinned policy or the stored push can't be read
)

// DispatchState is where a dispatch stands; the package comment draws the moves.
type DispatchState string

// The states of a dispatch.
const (
	DispatchBlocked    DispatchState = "BLOCKED" // waits for the first chunk of the first sending
	DispatchPending    DispatchState = "PENDING"
	DispatchClaimed    DispatchState = "CLAIMED"
	DispatchSending    DispatchState = "SENDING" // on its way to EngageLab, or taken there without our knowing
	DispatchSent       DispatchState = "SENT"
	DispatchRefused    DispatchState = "REFUSED"
	DispatchUnanswered DispatchState = "UNANSWERED" // whether EngageLab took it was never learnt
	DispatchExpired    DispatchState = "EXPIRED"
	DispatchCancelled  DispatchState = "CANCELLED"
	DispatchSkipped    DispatchState = "SKIPPED" // nobody was left to send it to
)

// DispatchDraft is a dispatch to be.
type DispatchDraft struct {
	Chunk int
	// Recipients are ordinals; nil means the whole audience as the push's document names it.
	Recipients []uint32
	// Content is what is laid over the push's document, in the encoding of package policy; nil leaves it as it is.
	Content []byte
	// Override is what EngageLab calls the earlier message that this one replaces; empty for none.
	Override string
	// Singles make the dispatch a batch of single messages, each with an upstream id of its own: what each of the Recipients
	// gets, in their order. Content and Override are empty then. Nil for one message to all of them.
	Singles []Single
	// Variant is the id of the step's variant; empty for a step without.
	Variant string
	// PlainContent says that the recipients get the step's plain content, since a template failed for them.
	PlainContent bool
	DueTime      time.Time
	ExpireTime   time.Time
}

// Single is one message of a batch. Its fields are as a DispatchDraft's.
type Single struct {
	Content  []byte
	Override string
}

// Units is what the dispatch costs of the app's quota at EngageLab.
func (d DispatchDraft) Units() int { return max(len(d.Singles), 1) }

// Dispatch is one request to EngageLab: a chunk of a step.
type Dispatch struct {
	DispatchDraft
	ID       int64
	PushID   int64
	Step     int
	State    DispatchState
	Attempt  int       // counts claims; identifies the claim that may finish the dispatch
	PlanTime time.Time // when it was decided who gets it; of step 0, when the push was created
	// ClaimTime is when the claim was made that was, or will be, the first to be started: EngageLab knew nothing of the dispatch
	// before. Zero before the first claim.
	ClaimTime  time.Time
	UpstreamID string
	SentTime   time.Time
	Refusal    *Refusal
	Reason     Reason
}

// Claim is a dispatch that its claimer alone may send, with what is needed to decide and to send. Push and Recipients,
// with their progress, are as they were when the claim was stored, or newer. Recipients are in the dispatch's order;
// there are none for a dispatch to the whole audience. Of a batch of single messages, Recipients and Dispatch.Singles are
// those that have no result yet.
type Claim struct {
	Dispatch   Dispatch
	Push       Push
	Recipients []Recipient
}

// DispatchResult is what became of a claimed dispatch.
type DispatchResult struct {
	ID      int64
	Attempt int
	// State is Sent, Refused, Unanswered, Expired, Cancelled or Skipped; or, for another try, Pending if EngageLab
	// certainly did not take it, Sending if it may have.
	State DispatchState
	// Time is when it happened; for Pending and Sending, when to try again.
	Time time.Time
	// ExpireTime replaces the dispatch's, for a Pending one that is deferred; zero keeps it.
	ExpireTime time.Time
	UpstreamID string
	// Singles are the results of a batch's single messages that are known now. Those that have none yet are what is tried again
	// after Pending or Sending; any other state ends them too.
	Singles    []SingleResult
	Refusal    *Refusal
	Reason     Reason
	PassedOver PassedOver // of a Skipped dispatch; or of recipients who are left out of a Pending one from now on
}

// SingleResult is what became of one message of a batch: it has an upstream id, or was refused. The event of a refusal is of
// the result's Time, or of the claim's where that says when to try again.
type SingleResult struct {
	Ordinal    uint32
	UpstreamID string
	Refusal    *Refusal
}

// PassedOver are the recipients who do not get a step, or a push, by their ordinals. A recipient is passed over once per step:
// when the push was created, when the plan was made, or when the dispatch was claimed.
type PassedOver map[Reason][]uint32

// DispatchStart says that a claimed dispatch is about to be handed to EngageLab, and to whom.
type DispatchStart struct {
	ID      int64
	Attempt int
	// Recipients are the ordinals that it goes to, when some are passed over; nil keeps the dispatch's own.
	Recipients []uint32
	PassedOver PassedOver
	// Limits are those that the caller has held its recipients against.
	Limits []MessageLimit
}

// MessageLimit says how many messages a device may have had since a time, as CountMessages counts, to get another: fewer than Messages.
type MessageLimit struct {
	Since    time.Time
	Messages int
}

// PushDraft is a push to be, with all that becomes durable along with it.
type PushDraft struct {
	Push       Push
	Recipients []string // registration ids, without repeats; their index is the ordinal
	// Dispatches are of step 0. There may be none, if all recipients are passed over; then there are no Steps either.
	Dispatches []DispatchDraft
	Steps      []StepDraft
	PassedOver PassedOver // of step 0
}

// StepDraft is a follow-up's timer to be.
type StepDraft struct {
	Number int
	Offset time.Duration // from the first sending
}

// StepPlan is the outcome of looking at the recipients From ≤ ordinal < Through for a step.
type StepPlan struct {
	PushID     int64
	Step       int
	From       uint32
	Through    uint32
	Dispatches []DispatchDraft
	PassedOver PassedOver
	Done       bool      // no recipients are left
	Time       time.Time // when it was decided
	// MeasureTime is when what the step brought is to be measured. The latest of a step's slices counts; zero for never.
	MeasureTime time.Time
}

// Callback is one row that EngageLab reported, normalised.
type Callback struct {
	UpstreamID     string
	RegistrationID string
	// Milestone is MilestoneUnknown for a status that has no mapping.
	Milestone Milestone
	// Status is the reported status. Of failures and unknown statuses it is what makes a repeated row recognisable.
	Status       string
	Time         time.Time // when the status changed, to the second
	ErrorCode    int
	ErrorMessage string
	Channel      string
	LossSource   string
	// Raw is the row as it came. It is kept for rows that can't be applied and for unknown statuses, cut to MaxRaw.
	Raw []byte
	// Source gives Raw when it is asked for, where Raw is nil; nil when there is none.
	Source RawSource
	// Invalidates is why the row, a failure, means that the device's token is dead; empty if it does not.
	Invalidates string
}

// RawSource gives the rows of a batch as they came, by their places in it. Few rows are ever asked for.
type RawSource interface {
	Raw(row int) []byte
}

// CallbackSummary counts what became of a batch of callbacks.
type CallbackSummary struct {
	New      int
	Repeated int
	// Held rows name an upstream id that is not known (yet), or a recipient outside of the push's audience. A held
	// row that comes again counts here again, and is kept once.
	Held int
	// Dropped rows were not held, because there are as many as there may be.
	Dropped int
}

// HoldReason says why a callback is held.
type HoldReason string

// The reasons.
const (
	HoldUnknownMessage   HoldReason = "UNKNOWN_MESSAGE"   // no dispatch of the app has its upstream id; one may get it yet
	HoldUnknownRecipient HoldReason = "UNKNOWN_RECIPIENT" // the push is listed and has no such recipient
)

// HeldCallback is a callback that is kept and touches no push. Its Raw is not read.
type HeldCallback struct {
	// ID grows with every callback that is held, with gaps.
	ID          int64
	Reason      HoldReason
	ReceiveTime time.Time // of its first coming
	Callback
}

// HeldQuery selects an app's held callbacks in ascending order of id.
type HeldQuery struct {
	App    string
	Reason HoldReason // empty selects all
	After  int64      // callbacks with ID > After
	Limit  int
}

// StrayMessage is a message of EngageLab's that callbacks are held for.
type StrayMessage struct {
	UpstreamID string
	// FirstTime is when the earliest of its callbacks happened.
	FirstTime time.Time
	// Raw is one of the rows as it came, empty if none was kept.
	Raw []byte
}

// Event is a callback that was applied, or a fact of Susul's own in the same shape.
type Event struct {
	// Sequence grows with every event of the store, with gaps.
	Sequence    int64
	App         string
	PushID      int64
	Step        int
	Variant     string // of the step; empty for a step without
	ReceiveTime time.Time
	Callback
}

// EventRun is a part of the log in which all events are of one push.
type EventRun struct {
	First, Last  int64 // sequences; events that are in no run do not exist
	App          string
	PushID       int64
	CallbackURLs bool // the push may have some; without, it has none
}

// EventQuery selects events in ascending order of sequence. Zero fields select all.
type EventQuery struct {
	App            string
	PushID         int64
	RegistrationID string
	StartTime      time.Time // events with Time ≥ StartTime
	EndTime        time.Time // events with Time < EndTime
	After          int64     // events with Sequence > After
	Through        int64     // events with Sequence ≤ Through
	Limit          int
}

// PushQuery selects an app's pushes, newest first.
type PushQuery struct {
	App    string
	Before int64 // pushes with ID < Before; 0 starts with the newest
	Limit  int
}

// Counts are numbers of recipients.
type Counts struct {
	Targets, Sent, Delivered, Displayed, Clicked, Failed int
}

// Add counts n more for a milestone. The unknown milestone counts nowhere.
func (c *Counts) Add(m Milestone, n int) {
	switch m {
	case Sent:
		c.Sent += n
	case Delivered:
		c.Delivered += n
	case Displayed:
		c.Displayed += n
	case Clicked:
		c.Clicked += n
	case Failed:
		c.Failed += n
	}
}

// StepReport is one step's share of a report. Its targets are the recipients of all dispatches but the Cancelled,
// Skipped and Expired ones; of a batch that ended so, those whose single message has a result.
type StepReport struct {
	Step
	Counts
	PassedOver map[Reason]int
	// Unsent counts recipients whose dispatches were cancelled or expired, but for those who have a result, by the dispatch's
	// reason. They are none of the targets.
	Unsent map[Reason]int
	// PlainContent counts the targets whose dispatches have PlainContent.
	PlainContent int
	// Dispatches counts the step's dispatches by state.
	Dispatches map[DispatchState]int
}

// Report is what became of a push. Implied milestones count.
type Report struct {
	Push  Push
	Steps []StepReport // ascending, step 0 first; that one has no timer and reads as Planned
	// Total counts each recipient once over all steps. Its targets are the recipients known.
	Total Counts
}
