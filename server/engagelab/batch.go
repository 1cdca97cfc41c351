package engagelab

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// MaxBatchTargets is how many targets EngageLab takes in one batch.
const MaxBatchTargets = 500

// BatchItem is one request of a batch-single push, as a push of its own.
type BatchItem struct {
	Target   string
	Document Document
}

// ParseBatch reads a batch-single document. It returns *InvalidDocument with all that is wrong with the batch itself; what
// is wrong with one request's content is for that request's Document to say.
func ParseBatch(data []byte, kind BatchKind) ([]BatchItem, error) {
	batch, err := ParseDocument(data)
	if err != nil {
		return nil, err
	}
	var found faults
	var requests []json.RawMessage
	_ = json.Unmarshal(batch.raw["requests"], &requests) // what is no array has no requests
	switch {
	case len(requests) == 0:
		found.add("requests", "must be an array of 1 to %d requests", MaxBatchTargets)
	case len(requests) > MaxBatchTargets:
		found.add("requests", "must have at most %d items", MaxBatchTargets)
		requests = nil // they need not be looked at
	}
	items := make([]BatchItem, 0, len(requests))
	targets := make(map[string]struct{}, len(requests))
	for i, raw := range requests {
		field := fmt.Sprintf("requests[%d]", i)
		request, err := ParseDocument(raw)
		if err != nil {
			found.add(field, "must be an object")
			continue
		}
		target := stringAt(request.members, "target")
		if target == "" {
			found.add(field+".target", "must be a string that is not empty")
		} else if _, twice := targets[target]; twice {
			found.add(field+".target", "is an earlier request's too: the answer has one result for each target")
		}
		targets[target] = struct{}{}
		document, err := batch.single(request, kind)
		if err != nil {
			return nil, err
		}
		items = append(items, BatchItem{Target: target, Document: document})
	}
	if len(found) > 0 {
		return nil, &InvalidDocument{Faults: found}
	}
	return items, nil
}

// single lays one request of a batch out as a push object. What is not a member of that belongs to its body. What
// stands beside the requests holds for each of them, but for a request_id, which would make them all the same push.
func (d Document) single(request Document, kind BatchKind) (Document, error) {
	root, body := maps.Clone(d.raw), make(rawObject, len(request.raw))
	delete(root, "requests")
	delete(root, "request_id")
	for name, value := range request.raw {
		switch {
		case name == "target":
		case slices.Contains(envelope, name):
			root[name] = value
		default:
			body[name] = value
		}
	}
	var err error
	to := map[string][]json.RawMessage{kind.selector(): {request.raw["target"]}}
	if root["to"], err = json.Marshal(to); err != nil {
		return Document{}, err
	}
	if root["body"], err = json.Marshal(body); err != nil {
		return Document{}, err
	}
	data, err := json.Marshal(root)
	if err != nil {
		return Document{}, err
	}
	return ParseDocument(data)
}

// envelope names what stands around the body of a push object, and beside its members in a request of a batch.
var envelope = []string{"from", "request_id", "custom_args", "callback_url"}

// BatchRequest is one target's part of a batch that Susul sends.
type BatchRequest struct {
	BatchItem
	// Request is what to fill in: CID, without which EngageLab would not recognise a repetition, CallbackURL and OverrideMsgID.
	Request Request
}

// BuildBatch returns the batch-single document of 1 to 500 requests, each to a target of its own: what ParseBatch reads. A
// request holds what its document has around the body and in it, all on one level. So what it can't hold is the audience,
// whose place the target takes, a member called target, and a member that EngageLab has added around the body and whose name
// one in the body has as well.
func BuildBatch(batch []BatchRequest) ([]byte, error) {
	if len(batch) == 0 || len(batch) > MaxBatchTargets {
		return nil, fmt.Errorf("engagelab: a batch has 1 to %d targets, not %d", MaxBatchTargets, len(batch))
	}
	requests := make([]rawObject, len(batch))
	targets := make(map[string]struct{}, len(batch))
	for i, one := range batch {
		if _, twice := targets[one.Target]; twice || one.Target == "" {
			return nil, errors.New("engagelab: each request of a batch needs a target of its own")
		}
		targets[one.Target] = struct{}{}
		if one.Request.CID == "" {
			return nil, errors.New("engagelab: each request of a batch needs a cid")
		}
		var err error
		if requests[i], err = one.flat(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(map[string][]rawObject{"requests": requests})
}

// flat is the reverse of single.
func (b BatchRequest) flat() (rawObject, error) {
	root, err := b.Document.filled(b.Request)
	if err != nil {
		return nil, err
	}
	request := rawMembers(root["body"])
	delete(root, "to")
	delete(root, "body")
	for name, value := range root {
		if _, inBody := request[name]; !inBody || slices.Contains(envelope, name) {
			request[name] = value
		}
	}
	request["target"], err = json.Marshal(b.Target)
	return request, err
}

// selector is the kind of audience that a target of the batch is.
func (k BatchKind) selector() string {
	if k == BatchAlias {
		return "alias"
	}
	return "registration_id"
}

// GroupAnswer is one app's share of the answer to a group push.
type GroupAnswer struct {
	members map[string]json.RawMessage
	// MsgID is what EngageLab calls the app's push; empty if it refused.
	MsgID string
}

// ParseGroupAnswer reads one member of the answer. One that holds no msg_id, such as group_msgid or an app's error, has no
// MsgID either.
func ParseGroupAnswer(raw json.RawMessage) GroupAnswer {
	var answer GroupAnswer
	var pushed PushResponse
	if json.Unmarshal(raw, &answer.members) == nil && json.Unmarshal(raw, &pushed) == nil {
		answer.MsgID = pushed.MsgID
	}
	return answer
}

// WithMsgID returns the share with another msg_id.
func (a GroupAnswer) WithMsgID(id string) (json.RawMessage, error) {
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	a.members["msg_id"] = quoted
	return json.Marshal(a.members)
}
