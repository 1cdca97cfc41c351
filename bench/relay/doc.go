// Command relay measures how fast stored events are posted to the business, on this machine, with every part a process of its own:
//
//	susul serve ──── signed documents of up to 200 events ────► receivers, in this process
//
// A case goes like this:
//
//	prepare  pushes of 1,000 recipients each, and three callbacks of every recipient; subscriptions to all of them, which are paused
//	post     from the moment that they are resumed until each has every event
//	verify   every receiver must have every event, in order per push, or the figures are void
//	bare     a process that does nothing else makes as many posts of the same size to the same receivers, over as many connections
//
// CPU is that of the process that posts, the server's with all that it does meanwhile; the receivers share the processors.
package main
