// Command ingest measures how fast callbacks become durable, on this machine, with every part a process of its own:
//
//	load ──── POST /v1/apps/{app}/callbacks ────► susul serve ──── POST /v4/push ────► stand-in EngageLab
//	  ▲        new rows, signed, keep-alive            ▲                                    │
//	  │                                                │ pushes, reports                    │ message ids
//	  └────────── message ids, recipients ─────── this process ◄────────────────────────────┘
//
// A case has a world of pushes, made over the API and dispatched in chunks of 1,000 recipients. The load tells of each
// recipient that the push was sent, delivered, displayed and clicked: four rows, each of them new. Some chunks are active
// at a time and all rows of these are mixed. A case goes through three lives of the server:
//
//	1 push    the first wave of pushes; then it stops, and the file's growth is what recipients cost
//	2 gauge   a short load; its speed says how many more waves the case needs, and these are pushed
//	  load    what is measured; then the server stops, and the file's growth is what events cost
//	3 verify  the reports must count exactly the rows that were acknowledged, or the figures are void
//
// Two yardsticks are measured in the same run: appending the same bytes to SQLite without HTTP and JSON, and net/http
// that reads bodies and answers 200.
package main
