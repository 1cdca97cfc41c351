// Package replica keeps what etcd has below a prefix in memory, on each node, and writes to it.
//
//	          ┌──────── compacted, or gone back ─────────┐
//	          ▼                                          │
//	etcd ─► load: pages of one revision ─► watch: every change after it ─► all entries and a snapshot of them, swapped at once
//	                                         ▲           │
//	                                         └── lost ───┘
//
// Who holds a snapshot sees one state of all. A key whose value can't be read keeps its last good version. Without etcd the last
// snapshot goes on serving, and writes fail at once.
package replica
