// Package rig is what the benchmarks have in common: a server in a process of its own, a stand-in EngageLab that takes
// everything at once, pushes with made-up recipients, and figures.
package rig
