// Package policy keeps the resend policies: which pushes are followed up, when, and with what content. Beside them it keeps
// each app's kill switch.
//
// Both live in etcd, one key each; every node holds all of them in one immutable Snapshot. A policy is written with
// compare-and-set, and comes back to every node through its watch:
//
//	Create, Update, Delete ──► etcd ──watch──► apply ──► Snapshot ──► Select, Named
//	                            ▲                │
//	                            │                └── does not compile: the last good version stays
//	            compacted, or the revision went back: load everything again
//
// A policy is compiled once: its match is a CEL expression over the push, each step's only_if is one over a recipient, and
// every string of its contents is a Liquid template. All are bounded, so that no policy can eat the machine. Without etcd the
// last snapshot goes on serving.
package policy
