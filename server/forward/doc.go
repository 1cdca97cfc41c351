// Package forward takes calls from the node that was called to the one that leads, as they came: messages are not decoded,
// and metadata, deadlines, cancellation, statuses and their details go through. REST calls that have no gRPC method travel
// as HTTP messages in one (http.go), so that there is one way between nodes, with one notion of what is certain.
//
//	caller ──► called node: credentials ─► does it lead? ──yes──► handler
//	                                          │no                    ▲
//	                              leader known│      its token       │
//	                                          └──► Link ──gRPC──► leader: its own token? does it lead?
//	                                                 ▲                │no
//	                        held, and offered again ─┴── not taken ◄──┘
//
// A call is offered again only while it is certain that nobody works on it: no leader is known, there was no connection, or
// the node that was called says that it has not taken it. It waits in the memory of the node that was called, for a bounded
// time, among a bounded number of others. A call that broke off after it was sent is the caller's to repeat: ErrBroken. The
// exception are callbacks, which may be repeated by anybody.
//
// A forwarded call carries the token of the process that it is meant for, which only those know who can read the election.
// It proves that the address of the caller which comes with it can be believed, and a forwarded call is never forwarded
// again: a node that does not lead refuses it at once. So does one whose token it does not have, since it was meant for a
// process that had the address before.
package forward
