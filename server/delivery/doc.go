// Package delivery is the life of a message. Its files follow that life in order:
//
//	accept.go     a push becomes durable: recipients, dispatches and step timers in one transaction
//	dispatch.go   a dispatch is claimed, asked about once more, and handed to EngageLab
//	callback.go   what EngageLab reports becomes events, counted once
//	followup.go   a step is due: unless something stops it, its recipients are planned slice by slice
//	eligibility.go  who of them gets it, or why not, and when; asked again when a dispatch is claimed
//	limits.go     quiet hours, frequency caps and gaps, expiry
//	content.go    what they get: variants, templates, plain content
//	plan.go       those who get the same become dispatches
//	measure.go    what a step brought, once its click window has ended; one that does harm is paused
//	report.go     what became of it all; effects.go: and what the follow-ups did about it
//	explain.go    one recipient's whole way
//	withdraw.go   a push is taken back
//
// Beside it stand devices.go, what is known of devices, and what would become of messages: preview.go, a step as if it were due
// now, and backtest.go with simulate.go, a policy over pushes of the past.
//
// How a recipient travels through a chain (the trigger being "unless CLICKED"):
//
//	accepted ─► step 0 dispatched ─► callbacks set bits in the recipient's progress word
//	                │
//	                │ step 1 is due: CLICKED in any step? ── yes ─► passed over, counted with its reason
//	                ▼ no
//	            planned into a dispatch
//	                │
//	                │ the dispatch is claimed: CLICKED meanwhile, policy paused, push withdrawn? ── yes ─► passed over
//	                ▼ no
//	            step 1 dispatched ─► … ─► step n
//
// A step reaches a recipient at most once. A dispatch is claimed by one sender at a time; its cid is made of msg_id,
// step and chunk, so that EngageLab recognises a request that is repeated after a crash or a lost answer; a step's plan
// moves a cursor in the transaction that stores its dispatches; and every write of a leader that has been succeeded is
// refused by the store.
package delivery
