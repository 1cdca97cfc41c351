// Package subscription keeps subscriptions: where an app's events are posted to, and which of them.
//
// They live in etcd, one key each, /susul/apps/{app}/subscriptions/{id}, and come to every node like resend policies do. A
// subscription is compiled once: its filter is a CEL expression over an event and its push.
package subscription
