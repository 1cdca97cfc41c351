// Package storage holds the types, role interfaces and errors of Susul's memory. It imports nothing of ours, so that
// every backend (storage/sqlite, and those to come) and every caller can depend on it. What a backend must hold is
// checked by the conformance suite in storage/storagetest.
//
// What is kept, and how it hangs together:
//
//	push ──┬── recipient 0…n-1   registration_id, progress word
//	       ├── step 0…11         timer, planning cursor
//	       │     └── dispatch    one request to EngageLab: recipients, content, state, upstream id
//	       └── event 1…          what EngageLab reported, in the order in which it was stored
//	held callback                reported for an upstream id or a recipient that is not known (yet)
//
// A dispatch moves like this; "claim", "start" and "finish" are ClaimDispatches, StartDispatch and FinishDispatch:
//
//	BLOCKED ─first chunk sent─► PENDING ─claim─► CLAIMED ─start─► SENDING ─finish─► SENT | REFUSED | UNANSWERED
//	                               ▲                │ │               │  ▲
//	                               │                │ └─ finish ─► EXPIRED | CANCELLED | SKIPPED
//	                               ├── lease over ──┘                 │  │
//	                               └── certainly not taken: retry ────┤  │
//	                                   perhaps taken, or lease over ──┴──┘ claimed again, and repeated as it was
package storage
