// Package delivery is the life of a message. Its files follow that life in order:
//
//	accept.go       a push becomes durable: recipients, dispatches and step timers in one transaction
//	batch.go        several pushes at once, and pushes to groups of apps
//	external.go     a push that EngageLab has from somebody else is recorded
//	dispatch.go     a dispatch is claimed
//	send.go         it is asked about once more, and handed to EngageLab
//	singles.go      likewise, for a batch of single messages
//	finish.go       when all that is queued of a push will have been sent
//	callback.go     what EngageLab reports becomes events, counted once
//	hygiene.go      what it reports of dead tokens keeps devices from getting more
//	followup.go     a step is due: unless something stops it, its recipients are planned, slice by slice
//	reconcile.go    before that, EngageLab is asked for reactions that its callbacks did not tell: reconcile_round.go, round by round
//	eligibility.go  who of the recipients gets the step, when, or why not; asked again at the claim
//	limits.go       quiet hours, frequency caps, gaps and expiry, which that depends on
//	content.go      what each of them gets: the variant, the templates, the plain content
//	plan.go         those who get the same become dispatches
//	measure.go      what the step brought, against its holdout; a harmful one pauses itself
//	report.go       what became of it all; effects.go, what the follow-ups did about it
//	explain.go      what became of one recipient
//	withdraw.go     a push is taken back
//	retention.go    a push is forgotten
//
// Beside it stand devices.go, what is known of devices, and what would become of messages: preview.go, a step as if it were due
// now, and backtest.go with simulate.go, a policy over pushes of the past.
//
// How a recipient travels through a chain (the trigger being "unless CLICKED"):
//
//	accepted ─► step 0 dispatched ─► callbacks set bits in the recipient's progress word
//	                │
//	                │ step 1 is due: policy or step paused, follow-ups stopped? ── yes ─► the step is cancelled
//	                │ CLICKED in any step, or another reason of eligibility.go? ── yes ─► passed over, with the reason
//	                ▼ no
//	            planned into a dispatch that is due now, or at the end of the quiet hours
//	                │
//	                │ the dispatch is claimed: paused or stopped meanwhile, push withdrawn? ── yes ─► cancelled
//	                │ CLICKED meanwhile, or another reason? ── yes ─► passed over, with the reason
//	                │ quiet hours have begun? ── yes ─► deferred to their end, and asked again then
//	                ▼ no
//	            step 1 dispatched ─► … ─► step n
//
// A step reaches a recipient at most once. A dispatch is claimed by one sender at a time; its cid is made of msg_id,
// step and chunk, so that EngageLab recognises a request that is repeated after a crash or a lost answer; a step's plan
// moves a cursor in the transaction that stores its dispatches; and every write of a leader that has been succeeded is
// refused by the store.
package delivery
