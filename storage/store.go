package storage

import (
	"context"
	"io"
	"time"
)

// Store is the whole of a backend. All methods may be called from many goroutines at once. A write is durable when its
// method returns nil, and has not happened when it returns an error, unless the context ended meanwhile, or the connection
// to a database broke as that was about to confirm: then it may have. A write that can't be taken now gets ErrUnavailable.
// Times are kept to the millisecond and returned in UTC. What a method was given must not be changed afterwards, not even
// once its context ended. A limit outside of 1…MaxPage means MaxPage.
type Store interface {
	Pushes
	Dispatches
	Callbacks
	Adoption
	Planning
	Measuring
	Devices
	Relays
	Retention
	// Ping returns nil if the store can take a write now, and none has failed a moment ago.
	Ping(ctx context.Context) error
	io.Closer
}

// Pushes is the part that accepts and shows pushes.
type Pushes interface {
	// CreatePush stores a push with its recipients, dispatches and timers, all or nothing. The dispatch of chunk 0
	// starts Pending, the others of step 0 Blocked. When the app used the request id before, nothing is stored: the
	// earlier push comes back with created false if the fingerprints are equal, else ErrRequestIDReused. A taken
	// push id gets ErrConflict. While another call with the same request id is under way, ErrUnavailable. Callbacks do
	// not wait for a large audience: it is stored in slices, and seen by nobody until all of it is there.
	CreatePush(ctx context.Context, draft PushDraft) (push Push, created bool, err error)

	// GetPush returns a push, or ErrNotFound if the app has none with this id.
	GetPush(ctx context.Context, app string, id int64) (Push, error)

	// ListPushes returns a page of an app's pushes, newest first, without their documents and policies' specs.
	ListPushes(ctx context.Context, q PushQuery) ([]Push, error)

	// Report returns a push's counters, or ErrNotFound.
	Report(ctx context.Context, app string, id int64) (Report, error)

	// FindRecipients returns those of the registration ids that are recipients of the push, in ordinal order. An
	// absent push has none.
	FindRecipients(ctx context.Context, id int64, registrationIDs []string) ([]Recipient, error)

	// ListDispatches returns a page of a push's dispatches with ID > after, ascending, without their Singles.
	ListDispatches(ctx context.Context, id int64, after int64, limit int) ([]Dispatch, error)

	// WithdrawPush stops whatever is still to come: the push becomes Withdrawing, its pending dispatches and its
	// open steps are cancelled. A push that is Withdrawing already stays so without an error; any other state but
	// Active gets ErrConflict.
	WithdrawPush(ctx context.Context, app string, id int64) (Push, error)

	// Queue returns what waits of a push to be sent: its Blocked, Pending and Claimed dispatches. An absent push has nothing.
	Queue(ctx context.Context, app string, id int64) (Queue, error)

	// History returns a recipient's way through a push, or ErrNotFound if the app has no such push, or the push no such
	// recipient.
	History(ctx context.Context, app string, id int64, registrationID string) (History, error)

	// ConfirmWithdrawal turns a Withdrawing push Withdrawn; any other state gets ErrConflict, an absent push
	// ErrNotFound.
	ConfirmWithdrawal(ctx context.Context, id int64) error
}

// Dispatches is the part that sends.
type Dispatches interface {
	// ClaimDispatches gives the caller due dispatches of an app, the first sendings before the follow-ups, each
	// then by due time. Until req.Now + req.Lease no other caller gets them. A dispatch whose lease ran out is
	// claimed again, with a higher Attempt: as Claimed if it had not been started, else as Sending, for EngageLab
	// may have it.
	ClaimDispatches(ctx context.Context, req ClaimRequest) ([]Claim, error)

	// StartDispatch turns a Claimed dispatch Sending, narrows it to its remaining recipients, and counts those passed
	// over. From here until FinishDispatch nobody can know whether EngageLab has it. A claim that is not the
	// dispatch's latest, or in another state, gets ErrConflict; so does a push that is no longer Active and a step
	// that was cancelled: then the claim is still to be finished. So does, likewise, a recipient who has come to one of the Limits by what
	// another handle has started meanwhile; of two that start at the same time, one sees the other. What was started through the same
	// handle is the caller's to know.
	StartDispatch(ctx context.Context, start DispatchStart) error

	// FinishDispatch records what became of a Claimed or Sending dispatch and returns its push as it is then. A claim
	// that is not the dispatch's latest, or was finished, gets ErrConflict; so does an upstream id that another
	// dispatch of the app has.
	//
	// Sent stores the upstream id and applies the callbacks held for it, of a batch those of its Singles; as the push's first,
	// it also unblocks the step's other dispatches and sets the due times of the steps. Refused appends a Failed event with
	// the status "refused" for each of its recipients, and, on chunk 0 of step 0, rejects the push: all that is still to come
	// is cancelled and the request id is free again. Expired, Cancelled, Skipped and Unanswered on that chunk cancel
	// the dispatches that it blocks, and the steps, with the same reason; Expired also makes an Active push Expired
	// and frees its request id. Unanswered on any dispatch cancels the push's open steps: who got it is not known, so
	// nobody is followed up. Pending for another try becomes Cancelled if the push is no longer Active or the step was
	// cancelled meanwhile; Sending does not. Of a batch, the Singles that are given are stored whatever the state: who was
	// refused gets a Failed event, callbacks of the upstream ids are those of their step, and neither is in a later claim.
	FinishDispatch(ctx context.Context, result DispatchResult) (Push, error)

	// CountMessages counts, for each of the registration ids, the messages since a time that EngageLab took, or may have: those
	// of Sending, Sent and Unanswered dispatches of all pushes of the app, by when they were claimed; of a batch, those that it
	// took whatever the state.
	CountMessages(ctx context.Context, app string, registrationIDs []string, since time.Time) ([]int, error)

	// NextDispatchTime returns when the app's next dispatch is due or its lease ends; ok is false when there is
	// none.
	NextDispatchTime(ctx context.Context, app string) (t time.Time, ok bool, err error)

	// SubscribeWork returns a channel that gets a signal after dispatches or steps may have become due by what another handle did;
	// signals coalesce, and may come without a cause. What CreatePush stored is its handle's to send: others may be told late. Call
	// cancel when done.
	SubscribeWork() (signal <-chan struct{}, cancel func())

	// SubscribeAnswers returns a channel that gets the id of each push that was created through this handle, once its first dispatch
	// ended through another: it was sent, refused, or given up. Ids that nobody takes for long are dropped. Call cancel when done.
	SubscribeAnswers() (pushes <-chan int64, cancel func())
}

// ClaimRequest asks for dispatches.
type ClaimRequest struct {
	App   string
	Now   time.Time
	Lease time.Duration
	Limit int
}

// Callbacks is the part that takes what EngageLab reports.
type Callbacks interface {
	// RecordCallbacks stores a batch, all or nothing, and counts each new row once: a row is repeated if the same
	// recipient, step and milestone is stored already; for failures and unknown statuses, the same status. Rows whose
	// upstream id is unknown are held until a dispatch gets that id. A recipient that a listed push does not have is held
	// for good; a push that is not listed gains it as a new recipient. The rows, and what they refer to, are the caller's
	// again when the method returns.
	//
	// A new row that Invalidates makes its device invalid, unless that reported life at that time or later, or was revived. A new
	// row of the milestones Delivered, Displayed and Clicked is a report of life: it revives an invalid device, unless it is of
	// an earlier time than the invalidity. So it does not matter in which order rows come. Both hold for applied rows, and for
	// rows of unknown messages once they are applied.
	//
	// A store holds a bounded number of rows for each app. Rows of unknown recipients beyond that are counted and dropped.
	// With rows of unknown messages beyond it, all others of the batch are stored, and the call returns ErrHeldFull.
	RecordCallbacks(ctx context.Context, app string, received time.Time, rows []Callback) (CallbackSummary, error)

	// ListHeldCallbacks returns a page of an app's held callbacks, the longest held first. A callback that is applied
	// is no longer among them; one that turns out to name no recipient stays, with the other reason.
	ListHeldCallbacks(ctx context.Context, q HeldQuery) ([]HeldCallback, error)

	// ListEvents returns a page of events in ascending order of sequence. Once a call, whatever it asked for, has returned an event,
	// no event with a lower sequence turns up: whoever goes on after the last event of a page misses none. What is behind Through, or
	// the page's end, is not read.
	ListEvents(ctx context.Context, q EventQuery) ([]Event, error)

	// ListEventRuns returns which pushes the events after a sequence are of, in the order of the sequences, as ListEvents would see
	// them. It costs much less than to read them. The limit is a number of runs.
	ListEventRuns(ctx context.Context, after int64, limit int) ([]EventRun, error)

	// LastSequence returns the sequence of the latest event, 0 if there is none.
	LastSequence(ctx context.Context) (int64, error)

	// SubscribeEvents returns a channel that gets a signal after events were committed; signals coalesce. Call
	// cancel when done.
	SubscribeEvents() (signal <-chan struct{}, cancel func())
}

// Adoption is the part that makes pushes of messages which EngageLab took from others than Susul.
type Adoption interface {
	// StrayMessages returns messages of an app, the longest held first, that callbacks are held for and that no dispatch
	// can explain: the first of their callbacks was received before the given time, and before every dispatch that is
	// Sending now was claimed. Callbacks that name no registration id don't count.
	StrayMessages(ctx context.Context, app string, before time.Time, limit int) ([]StrayMessage, error)

	// AdoptMessage stores a push that EngageLab has taken already, all or nothing: draft.Push.FirstSentTime says when.
	// The draft has no request id, no recipients and no dispatches, and is not listed. It gets step 0 with one Sent
	// dispatch of the upstream id, the callbacks held for that are applied, and the steps get their due times. When a
	// dispatch of the app has the upstream id, nothing is stored, and its push comes back with created false. A taken
	// push id gets ErrConflict.
	AdoptMessage(ctx context.Context, draft PushDraft, upstreamID string) (push Push, created bool, err error)

	// PushByUpstreamID returns the push whose dispatch has the upstream id, or ErrNotFound if the app has none.
	PushByUpstreamID(ctx context.Context, app, upstreamID string) (Push, error)
}

// Retention is the part that forgets.
type Retention interface {
	// Forget deletes a slice of what is older than a time, and reports whether there may be more of it: events and held
	// callbacks that were received before, and the recipients of pushes that were created before, once nothing of theirs
	// is open and their events are gone. Such a push stays with its report and what was measured of it; callbacks of its
	// dispatches are held. A step that is yet to be measured is open. Upstream ids of single messages are forgotten too, and so
	// are dead letters that were created before.
	Forget(ctx context.Context, before time.Time) (more bool, err error)
}

// Planning is the leader's part. Its writes carry the term that Lead set.
type Planning interface {
	// Lead makes this store's writes carry the term and fences every earlier one, in whatever process. A term older
	// than the stored one gets ErrFenced. Claims that an earlier leader left behind may be claimed at once; the same
	// term again leaves claims alone. A store that never led writes without a fence.
	Lead(ctx context.Context, term int64) error

	// DueSteps returns up to limit Scheduled steps with DueTime ≤ now, the longest due first. The steps of a push
	// that has a Sending dispatch are left out: they are decided once it is known who got it. So are those with an earlier step
	// that is Scheduled, be it held: no step overtakes another.
	DueSteps(ctx context.Context, now time.Time, limit int) ([]Step, error)

	// NextStepTime returns the earliest due time of the Scheduled steps that DueSteps would not leave out; ok is false
	// when there is none.
	NextStepTime(ctx context.Context) (t time.Time, ok bool, err error)

	// PushOf returns a push whatever its app, or ErrNotFound.
	PushOf(ctx context.Context, id int64) (Push, error)

	// ScanRecipients returns a push's recipients with ordinal ≥ from, in ordinal order, at most limit.
	ScanRecipients(ctx context.Context, id int64, from uint32, limit int) ([]Recipient, error)

	// HoldStep puts a Scheduled step of which nothing is planned yet off until a time; its HoldTime becomes now, unless it has
	// one. Any other step gets ErrConflict, an absent one ErrNotFound. The first PlanStep ends the hold.
	HoldStep(ctx context.Context, id int64, step int, now, until time.Time) error

	// LastMessages returns the latest message of the steps before the given one, for each recipient with from ≤ ordinal <
	// from + limit that EngageLab took one for, in ordinal order.
	LastMessages(ctx context.Context, id int64, step int, from uint32, limit int) ([]LastMessage, error)

	// PlanStep stores a slice of a step's plan, all or nothing. A plan whose From is not the step's NextOrdinal, or
	// whose step is not Scheduled, gets ErrConflict: somebody else planned or cancelled it. A chunk number is used
	// once per step; a second time gets ErrConflict. An absent step gets ErrNotFound.
	PlanStep(ctx context.Context, plan StepPlan) error

	// CancelStep cancels a Scheduled or Waiting step and its pending dispatches; any other state gets ErrConflict, an
	// absent step ErrNotFound.
	CancelStep(ctx context.Context, id int64, step int, reason Reason) error
}

// Measuring is the part that tells what follow-ups brought. Its writes carry the term that Lead set.
type Measuring interface {
	// Outcomes returns what a push's follow-ups brought until now. An absent push has none. It looks at all recipients of the
	// follow-ups: a tenth of a second for a million of them, about.
	Outcomes(ctx context.Context, id int64) (Outcomes, error)

	// StepsToMeasure returns up to limit Planned steps with MeasureTime ≤ now, the earliest first.
	StepsToMeasure(ctx context.Context, now time.Time, limit int) ([]Step, error)

	// NextMeasureTime returns the earliest MeasureTime of the Planned steps; ok is false when there is none.
	NextMeasureTime(ctx context.Context) (t time.Time, ok bool, err error)

	// RecordMeasurement stores what a step brought and takes its MeasureTime away. A step that has none gets ErrConflict: it was
	// measured before.
	RecordMeasurement(ctx context.Context, m Measurement) error

	// SumMeasurements adds up the measurements of a key that were made at or after a time.
	SumMeasurements(ctx context.Context, policyUID, key string, since time.Time) (MeasuredTotal, error)
}

// Devices is the part that knows an app's devices.
type Devices interface {
	// SetDevices stores attributes, time zones and locales, all or nothing, in place of what was set before. Whether a device is
	// invalid stays as it is.
	SetDevices(ctx context.Context, app string, devices []Device, now time.Time) error

	// GetDevices returns those of the devices of which something is known, in the order of the ids.
	GetDevices(ctx context.Context, app string, registrationIDs []string) ([]Device, error)

	// DeleteDevice forgets a device, or returns ErrNotFound if nothing is known of it.
	DeleteDevice(ctx context.Context, app, registrationID string) error

	// InvalidDevices returns those of the ids whose devices are invalid, in their order. It is cheap where few are.
	InvalidDevices(ctx context.Context, app string, registrationIDs []string) ([]string, error)

	// ListInvalidDevices returns a page of the devices that are invalid.
	ListInvalidDevices(ctx context.Context, q InvalidQuery) ([]Device, error)

	// ReviveDevices makes devices valid as of now, and returns how many were invalid.
	ReviveDevices(ctx context.Context, app string, registrationIDs []string, now time.Time) (int, error)

	// MarkDevicesDeleted notes when invalid devices were deleted at EngageLab. Others are left alone.
	MarkDevicesDeleted(ctx context.Context, app string, registrationIDs []string, now time.Time) error
}
