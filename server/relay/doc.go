// Package relay brings events to the business: to the callback URLs of pushes, to subscriptions, and to those who watch.
//
// The event log is the queue. A feed reads it once for all; each endpoint goes through the feed's pages by a cursor of its own:
//
//	storage log ─► feed: pages of events with their pushes ─┬─► endpoint: its cursor, its lanes, its retries ─► webhook.Client
//	                                                        ├─► endpoint …
//	                                                        └─► Watch streams
//
// Events of one push stay in their order: they share a lane, and when they fail, those that follow wait with them, in a retry span,
// while other pushes go on. An endpoint to which several requests in a row fail is left alone until its next attempt; its events
// stay in the log. What fails for too long becomes a dead letter, which can be replayed.
package relay
