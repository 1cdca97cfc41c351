// Package relay brings events to the business: to the callback URLs of pushes, to subscriptions, and to those who watch.
//
// The event log is the queue. A feed reads it once for all; each endpoint goes through the feed's pages by a cursor of its own:
//
//	storage log ─► feed: pages of events with their pushes ─┬─► endpoint: its cursor, its lanes, its retries ─► webhook.Client
//	                                                        ├─► endpoint …
//	                                                        └─► Watch streams
//
// Events of one push stay in their order: they are in one request at a time, and when that fails, those that follow wait with them, in
// a retry span, while other pushes go on. An endpoint to which several requests in a row fail is left alone until its next attempt; its
// events stay in the log. What fails for too long becomes a dead letter, which can be replayed.
//
// Where to look:
//
//	feed*.go, pages.go, pushes.go    the log, read once for all
//	router.go, accept.go             which endpoints there are, and which of them a stretch of the log concerns
//	ledger*.go, lane.go, span.go,    what one endpoint is yet to get, and what is done next about it: a state machine without I/O
//	bury.go, schedule.go
//	endpoint*.go                     does what the ledger says: reads, posts, tells it what came of that
//	save.go                          all ledgers go to the store together, a few times a second
//	health.go, replay.go, trial.go   what people see and do
//	watch.go                         events for those who listen instead
package relay
