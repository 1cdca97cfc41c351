// Package engagelab speaks EngageLab's AppPush protocol: its wire types, an HTTP client for its REST API, and the
// signature on its callbacks.
//
//	push document ──► Client ──► quota ──► attempt ──► EngageLab
//	                               ▲          │ 429, 5xx, network: at most 3 attempts
//	                               └──────────┘
//	EngageLab ──► X-CALLBACK-ID ──► ParseSignature, Verify
//	          └─► body ──► ParseCallbacks ──► CallbackBatch
//
// What EngageLab says is read tolerantly and what Susul says is written strictly: a number may come as a string, a
// member may be missing, null or new, and none of that loses a row. The package knows nothing about Susul's own pushes,
// policies or storage.
package engagelab
