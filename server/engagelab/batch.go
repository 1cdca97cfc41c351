package engagelab

import (
	"encoding/json"
	"fmt"
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
	requests, _ := batch.members["requests"].([]any)
	switch {
	case len(requests) == 0:
		found.add("requests", "must be an array of 1 to %d requests", MaxBatchTargets)
	case len(requests) > MaxBatchTargets:
		found.add("requests", "must have at most %d items", MaxBatchTargets)
		requests = nil // they need not be looked at
	}
	items := make([]BatchItem, 0, len(requests))
	targets := make(map[string]struct{}, len(requests))
	for i, value := range requests {
		request, _ := value.(map[string]any)
		target := stringAt(request, "target")
		field := fmt.Sprintf("requests[%d]", i)
		_, twice := targets[target]
		targets[target] = struct{}{}
		switch {
		case request == nil:
			found.add(field, "must be an object")
		case target == "":
			found.add(field+".target", "must be a string that is not empty")
		case twice:
			found.add(field+".target", "is an earlier request's too: the answer has one result for each target")
		}
		items = append(items, BatchItem{Target: target, Document: single(request, kind)})
	}
	if len(found) > 0 {
		return nil, &InvalidDocument{Faults: found}
	}
	return items, nil
}

// single lays one request of a batch out as a push object. What is not a member of that belongs to its body.
func single(request map[string]any, kind BatchKind) Document {
	body := make(map[string]any, len(request))
	members := map[string]any{"body": body}
	for name, value := range request {
		switch name {
		case "target":
			members["to"] = map[string]any{kind.selector(): []any{value}}
		case "from", "request_id", "custom_args", "callback_url":
			members[name] = value
		default:
			body[name] = value
		}
	}
	return Document{members: members}
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
