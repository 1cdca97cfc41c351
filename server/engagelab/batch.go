package engagelab

import (
	"encoding/json"
	"fmt"
	"maps"
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
		switch name {
		case "target":
		case "from", "request_id", "custom_args", "callback_url":
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
