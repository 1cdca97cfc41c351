// Package load puts load on servers from a process of its own, and measures what they take for it: callbacks of a world of pushes, each
// of them new, or pushes to a few devices.
//
//	this process                         load process                     servers
//	  Run ────── plan ──────────────────► Generate ──── requests ────────►
//	  Run ◄───── marks, outcome ────────┘                                 their CPU and memory, which Run looks at, at the marks
//
// A program that calls Run must call Generate when it is started with Verb as its only argument.
package load
