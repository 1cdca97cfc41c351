package subscription

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// The keys in etcd: root, an app's key, infix, and a subscription's ID. Others may have keys below the root too.
const (
	root  = "/susul/apps/"
	infix = "/subscriptions/"
)

// Key is where a subscription is in etcd.
func Key(app, id string) string { return root + app + infix + id }

// nameOf returns "apps/{app}/subscriptions/{id}", which is what the API calls a subscription. Whatever else is in etcd is not ours.
func nameOf(key string) (name string, ours bool) {
	_, _, ours = split(key)
	return strings.TrimPrefix(key, "/susul/"), ours
}

// split is the reverse of Key.
func split(key string) (app, id string, ok bool) {
	rest, ok := strings.CutPrefix(key, root)
	if !ok {
		return "", "", false
	}
	app, id, ok = strings.Cut(rest, infix)
	return app, id, ok && app != "" && id != "" && !strings.Contains(app+id, "/")
}

// encode returns what etcd stores of a valid subscription. App, ID and revision are kept beside it.
func encode(sub Subscription) ([]byte, error) {
	if err := sub.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(sub)
}

// read returns the subscription that a key holds.
func read(kv *mvccpb.KeyValue) (Subscription, error) {
	var sub Subscription
	if err := json.Unmarshal(kv.Value, &sub); err != nil {
		return Subscription{}, fmt.Errorf("decode subscription: %w", err)
	}
	sub.App, sub.ID, _ = split(string(kv.Key))
	sub.Revision = kv.ModRevision
	return sub, nil
}

// decode returns the subscription that a key holds, ready for use.
func decode(kv *mvccpb.KeyValue, _ *Compiled) (*Compiled, error) {
	sub, err := read(kv)
	if err != nil {
		return nil, err
	}
	return Compile(sub)
}
