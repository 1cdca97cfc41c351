// Package server wires a node together, starts it, and stops it in the reverse order. Two traces lead through the code;
// follow them to find your way.
//
// A push:
//
//	business
//	  │  gRPC CreatePush, POST /v1/apps/{app}/pushes     api/push_service.go: the typed push becomes EngageLab's document
//	  │  POST /v4/push                                   api/v4.go: the document is kept as it came
//	  ▼
//	delivery/accept.go      validate, choose a policy from the snapshot; push, recipients, dispatches and step timers
//	  │                     become durable in one transaction (storage CreatePush)
//	  ▼
//	delivery/dispatch.go    per app: claim what is due, ask once more who may get it, call EngageLab under the app's quota
//	  │                     with a cid that makes a repetition harmless, record the upstream id (storage FinishDispatch)
//	  ▼
//	engagelab/client.go ──► EngageLab        the caller's answer waits a moment for the first of these calls
//
// A callback:
//
//	EngageLab
//	  │  POST /v1/apps/{app}/callbacks                   api/callback_guard.go: who posts, when, under whose signature
//	  │                                                  api/callbacks_http.go: size, echostr
//	  ▼
//	delivery/callback.go    EngageLab's names become milestones
//	  │
//	  ▼
//	storage RecordCallbacks upstream id → (push, step), registration_id → recipient; new bits become events and counts, in
//	  │                     one durable transaction for all that has arrived; only then EngageLab gets its 200
//	  ├──► relay/feed.go             reads the log once for all, and gives new events, with their pushes, to
//	  │      ├──► relay/endpoint.go  each callback URL and subscription, by a cursor of its own: what its filter selects
//	  │      │      │                (subscription/filter.go) becomes requests, in order per push, with retries, until it is
//	  │      │      │                delivered or a dead letter
//	  │      │      ▼
//	  │      │    webhook/client.go ──► the business     the document, its signatures, and no address that is not allowed
//	  │      └──► relay/watch.go     api/callback_service.go: WatchEvents streams; relay/watcher.go where events are not relayed
//	  ▼
//	schedule/loop.go        a step is due: the leader
//	  │
//	  ▼
//	delivery/followup.go    streams the push's recipients, keeps the eligible, and plans dispatches; then as above
//
// Resend policies and subscriptions are in etcd; replica keeps them in each node's memory, as a snapshot that policy and subscription
// make of them. node.go has a node's life.
//
// With PostgreSQL (shared.go) every node does all of the above but what only the elected one does: planning and measuring, the relay,
// forgetting. With SQLite one node works at a time (leading.go): stand by, be elected, open the store under the election's term, work,
// stop. The others answer every call by that one:
//
//	caller ──► api/router.go (gRPC), api/offer.go (REST): does this node lead? yes: the handler
//	             │ no
//	             ▼
//	           forward: to the leader that the election names (peers.go), or held until there is one
//
// A leader that is told to stop lets its callers finish, closes the file and resigns, in this order, so that its successor finds all
// of it done. One that is killed or frozen loses its lease. If it wakes, the store refuses its writes, since a later term is in the
// file; it notices, closes the file without having written, and stands by. With the embedded etcd there is no lease to lose: who has
// the lock of the data directory leads, and a frozen process keeps it.
package server
