// Command cluster measures what several nodes carry, on this machine, with every part a process of its own:
//
//	                          ┌─► susul serve ─┐
//	load ── callbacks, pushes ┼─► susul serve ─┼─► SQLite, which one node has, or PostgreSQL ─► disk
//	                          └─► susul serve ─┘
//	                               │        ▲
//	                               ▼        │ policies, the election
//	             stand-in EngageLab,       etcd
//	             in this process
//
// An arrangement is a storage with a number of nodes, over which the load is spread. It goes through these parts:
//
//	callbacks   of one large push and of many, 100 new rows a request; then reports must count exactly the acknowledged rows
//	pushes      to 1 device and to 100, until EngageLab has them; it must have got each once
//	changes     of a policy, one after the other: from the call until every one of three nodes has applied it
//	takeovers   the leader of three is stopped, and killed, under a light load: until another one has answered a call
//
// The yardstick of PostgreSQL is measured in the same run: pgbench with plain inserts of rows of an event's size, 100 in a transaction.
//
// All parts share this machine's processors, so that three nodes show what working together costs, and not what three machines carry.
// The CPU of each part is told beside its figures.
package main
