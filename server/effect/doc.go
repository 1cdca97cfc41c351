// Package effect tells what follow-ups achieve: how sure a click rate is, how sure the difference between two groups is,
// and how to divide recipients among variants. It is arithmetic only and imports nothing of ours.
//
// Who belongs to which group is never stored: Unit hashes an id to a number between 0 and 1, the same on every node and
// after every restart, and a holdout's share or Pick turns that number into a group.
package effect
