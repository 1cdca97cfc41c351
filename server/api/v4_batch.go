package api

import (
	"encoding/json"
	"strconv"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
)

func (a *API) v4BatchRegID(call v4Call) (any, error) { return a.batch(call, engagelab.BatchRegID) }

func (a *API) v4BatchAlias(call v4Call) (any, error) { return a.batch(call, engagelab.BatchAlias) }

// batch makes each request of a batch a push of its own. Some may be refused while others are sent.
func (a *API) batch(call v4Call, kind engagelab.BatchKind) (any, error) {
	items, err := engagelab.ParseBatch(call.body, kind)
	if err != nil {
		return nil, unreadableDocument(err)
	}
	if err := call.core.CheckPolicy(call.app, call.policyID()); err != nil {
		return nil, err
	}
	requests := make([]delivery.PushRequest, len(items))
	for i, item := range items {
		requests[i] = call.request(item.Document)
	}
	answer := engagelab.BatchResponse{Results: make(map[string]engagelab.BatchResult, len(items))}
	for i, outcome := range call.core.CreatePushes(call.Context(), requests) {
		answer.Results[items[i].Target] = a.batchResult(items[i].Target, outcome)
	}
	return answer, nil
}

func (a *API) batchResult(target string, outcome delivery.PushOutcome) engagelab.BatchResult {
	result := engagelab.BatchResult{Target: target}
	if outcome.Err != nil {
		fault := faultOf(outcome.Err)
		logFault(a.log, "/v4/batch/push", fault, outcome.Err)
		_, result.Code = engageLabError(fault)
		result.Message = fault.Message
		return result
	}
	result.Success = true
	result.MsgID = json.Number(strconv.FormatInt(outcome.Push.ID, 10))
	return result
}

// v4GroupPush sends to every app of the caller's group.
func (a *API) v4GroupPush(call v4Call) (any, error) {
	request, err := call.pushRequest()
	if err != nil {
		return nil, err
	}
	return call.core.GroupPush(call.Context(), call.group, request)
}
