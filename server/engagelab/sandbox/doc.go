// Package sandbox is a stand-in EngageLab over real HTTP: good enough to develop and test against without an account.
//
//	POST /v4/push ──► serve ──────────► accept ──────────────► agenda (a heap, in the clock's time)
//	  /v4/batch/…     size, credentials,  cid seen before?       one entry for each message on each device
//	                  quota, record       same msg_id, no more     │
//	                                                               ▼ one goroutine
//	                                      dead:    target_invalid
//	                                      online:  sent ─► delivered ─► impression ─► click
//	                                      offline: sent ─► … hours … ─► delivered, if its time to live allows
//	                                                               │ a row for each
//	                                                               ▼
//	    callback addresses ◄── batches of 100, signed ◄── outbox (a goroutine for each address)
//	                 │                                       ▲
//	                 └── no 200 or 204 within 3 s: again ────┘ after 10 s, 1 min, 5 min, 30 min, 1 h; then dropped
//
// Rows can be made to get lost instead: the statistics know more than the callback addresses then.
//
// An address first has to return an echostr, when it is used for the first time and until it does.
//
// What a device does follows from the seed, its registration_id and how many messages it had before, never from msg_ids
// or from the order of events, so that a run can be repeated. What arrived and what reached whom can be looked at under
// /sandbox/ and through Requests, Device and Totals.
//
// Memory grows with what was sent: messages and devices are kept for as long as the Sandbox is. Requests, cids,
// addresses and waiting callback rows are bounded.
package sandbox
