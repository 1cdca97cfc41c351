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
// Callbacks of many callers are stored together (record.go): one statement sets bits in recipients' progress words and tells which of
// them are new; what is new is counted and appended to the log in packed segments, as package layout draws them. Who appends holds
// log_head until the commit, and waits for nothing else by then: events become visible in the order of their sequences.
//
// So that transactions never wait for each other in a circle, rows are locked in this order: leadership, push, step, dispatch, recipient,
// progress, mark, devices, held_callback, log_head, then what is written only under log_head: segment, log_day, event_detail and
// counter. Within a table it is by key, ascending.
//
// An Import fills a database with what another backend held (import.go). Meanwhile, and until that is complete, no handle is opened
// (presence.go).
package postgres
