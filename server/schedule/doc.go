// Package schedule chooses one node of the cluster and lets it do what only one may do.
//
// A candidate's way through an election; every turn back to the left waits a little, so that it never spins:
//
//	candidate ──elected──► leader ──lead returned──► resigned ──► candidate again
//	    │                    │
//	    │                    ├── lease lost ────► lead's context ends; once lead has
//	    │                    └── lease in doubt ─►  returned: resigned
//	    └── etcd fails ──► candidate again
//
// A leader distrusts its lease earlier than etcd does: the lease is good for as long as etcd said at its latest renewal, counted from
// when that was asked for. Even so a leader can be late to notice, paused in the middle of a write.
// Therefore each leadership has a term, which grows with every election, and storage refuses an older one.
//
// One member of etcd may end, freeze or lose its peers without anybody's noticing here: renewals do not wait for each other, and a watch
// that is silent is opened again, with the next member.
//
// Where every node works, Members counts them, so that each takes its share of an app's quota.
package schedule
