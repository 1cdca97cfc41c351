// Package postgres keeps Susul's memory in a PostgreSQL, or what speaks its protocol, shared by any number of nodes.
//
//	Store ──┬── handle ──► database: pool of connections ──► PostgreSQL
//	        │                 │
//	        └── handle        └── signals: LISTEN on a connection of its own; NOTIFY after commits, coalesced
//
// Each handle is a storage.Store. One that leads has its writes fenced by its term: they share a lock that a successor must have for
// himself (tx.go). A node has a handle that never leads, for what every node does, and another for the time in which it is
// elected.
//
// Callbacks of many callers are stored together (recorder.go): one statement sets bits in recipients' progress words and tells which of
// them are new (recording.go); what is new is counted and appended to the log in packed segments, as package layout draws them (log.go).
// Who appends holds log_head until the commit, and waits by then for nothing that others hold for long: events become visible in the
// order of their sequences. What is looked up before and must still hold then, log_head tells by counts: of devices that became invalid
// and of pushes that began to be forgotten. What never changes is kept in memory: upstream ids (upstreams.go), kinds of events (kinds.go),
// and who the recipients are of pushes that are reported of (rosters.go).
//
// Who waits for events, for work or for the end of a push's first dispatch is told by NOTIFY, which is sent after commits and for many of
// them together. News may be lost, with a process or a connection; then it is found within two seconds or so, but for answers: who waits for
// one should look at the push now and then (signals.go).
//
// What can be tried again is: transactions that PostgreSQL undid, and those whose connection broke ahead of the commit. While a commit is
// under way, and short transactions send it along with their last statements, nobody knows; then the call fails although it may have been
// stored. Only a push, which has an id, is stored again then, and known again if it is there. Everything else that keeps PostgreSQL from
// working, or from being reached, is storage.ErrUnavailable, and over when that is (errors.go, connection.go).
//
// Old events go with the partition of their day, which is detached before, so that nobody waits for those who read it
// (forget_events.go).
//
// Each node has Options.Connections connections at most, and one to listen. A pooler between a node and PostgreSQL must give each
// connection a session of its own, for LISTEN, the settings in open.go and the turns that nodes take in migrating need one.
//
// A callback may come to one node while another learns what its message is. So who holds callbacks of an unknown upstream id, and who
// gives a dispatch that id, take turns by an advisory lock (upstreams.go).
//
// So that transactions never wait for each other in a circle, locks are taken in this order: leadership, an app's limits (limits.go),
// upstream ids, push, step, dispatch, single, passed_over, recipient, event_kind, progress, mark, held_callback, counter, life, log_head,
// then what is written only under log_head, segment, log_day and event_detail, and last invalid_device. Within a table it is by key,
// ascending. Who claims dispatches waits for nobody.
//
// An Import fills a database with what another backend held (import.go). Meanwhile, and until that is complete, no handle is opened
// (presence.go).
package postgres
