package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"

	"susul.dev/susul/server/engagelab"
)

// addressing writes the "to" of the push that one target of a batch amounts to.
type addressing func(target string) any

func byRegistrationID(target string) any { return map[string][]string{"registration_id": {target}} }
func byAlias(target string) any          { return map[string][]string{"alias": {target}} }

// batchTo answers a batch-single push: every request in it is a push of its own, with its own msg_id and a unit of quota.
func (s *Sandbox) batchTo(to addressing) func(*app, *http.Request, []byte) (any, error) {
	return func(a *app, _ *http.Request, body []byte) (any, error) {
		targets, requests, err := readBatch(body)
		if err != nil {
			return nil, err
		}
		results := make(map[string]engagelab.BatchResult, len(requests))
		refusedByQuota := 0
		for i, request := range requests {
			if !s.spend(a) {
				refusedByQuota++
				results[targets[i]] = failedTarget(targets[i], overQuota())
				continue
			}
			results[targets[i]] = s.pushOne(a, targets[i], to, request)
		}
		if refusedByQuota == len(requests) {
			return nil, overQuota()
		}
		return engagelab.BatchResponse{Results: results}, nil
	}
}

// readBatch reads the requests of a batch and their targets.
func readBatch(body []byte) (targets []string, requests []object, err error) {
	var doc struct {
		Requests []object `json:"requests"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, nil, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, "the body is not an object with a list of requests")
	}
	r := &reader{}
	if len(doc.Requests) == 0 {
		r.missing("requests")
	}
	if len(doc.Requests) > maxBatchTargets {
		r.invalid("requests", fmt.Sprintf("at most %d", maxBatchTargets))
	}
	seen := map[string]bool{}
	for i, request := range doc.Requests {
		path := fmt.Sprintf("requests[%d].target", i)
		target, _ := read[string](r, request, "target", path, "a string")
		if target == "" {
			r.missing(path)
		} else if seen[target] {
			r.invalid(path, "there only once")
		}
		seen[target] = true
		targets = append(targets, target)
	}
	return targets, doc.Requests, r.refusal()
}

// pushOne turns one request of a batch into an ordinary push.
func (s *Sandbox) pushOne(a *app, target string, to addressing, request object) engagelab.BatchResult {
	body := map[string]any{}
	document := map[string]any{"to": to(target), "body": body}
	for name, value := range request {
		switch name {
		case "target":
		case "request_id", "custom_args", "callback_url":
			document[name] = value
		default:
			body[name] = value
		}
	}
	written, err := json.Marshal(document)
	if err != nil {
		return failedTarget(target, err)
	}
	p, recipients, err := s.read(a, written)
	if err != nil {
		return failedTarget(target, err)
	}
	id, err := s.accept(a, p, recipients)
	if err != nil {
		return failedTarget(target, err)
	}
	return engagelab.BatchResult{Target: target, Success: true, MsgID: json.Number(id)}
}

func failedTarget(target string, err error) engagelab.BatchResult {
	refused := asRefusal(err)
	return engagelab.BatchResult{Target: target, Code: refused.Code, Message: refused.Message}
}
