// Package api is Susul's two faces over one core: the gRPC services of proto/susul/v1 with their REST gateway, and
// EngageLab's own REST under /v4. Handlers are thin: they authenticate, translate, and call what does the work.
//
//	gRPC ───────────────────────────┐
//	REST /v1/… ── gateway.go ───────┴─► interceptors.go ─► *_service.go ─┐
//	REST /v4/… ── v4.go ─────────────────────────────────────────────────┼─► delivery, policy, subscription, relay
//	POST /v1/apps/{app_key}/callbacks ── callbacks_http.go ──────────────┘  behind callback_guard.go
//
// Errors come up as they are and are given their code, reason and public text in errors.go, nowhere else.
package api
