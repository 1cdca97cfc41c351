// Command followup measures how a follow-up to a million recipients is planned, on this machine, with every part a process of
// its own:
//
//	this process ──── POST /v4/push, callbacks ────► susul serve ──── POST /v4/push, /v4/batch/… ────► stand-in EngageLab,
//	                                                                                                   in this process
//
// A case goes like this:
//
//	push     a million recipients, whose policy has one step for those who have not clicked; 40 % click
//	quiet    some seconds of callbacks at a steady rate, for comparison
//	plan     from the moment that the step is due until it is decided who gets it; the callbacks go on
//	send     until EngageLab has all of it; the callbacks go on
//	verify   the report and EngageLab must count the same 600,000, each once, or the figures are void
//
// The yardstick is measured in the same run: a scan of the same rows in a plain table of SQLite, which reads the registration
// ids of those who have not clicked and does nothing else.
package main
