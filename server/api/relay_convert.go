package api

import (
	"strconv"
	"time"

	"go.einride.tech/aip/resourcename"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/storage"
)

// selectionOf reads what is to be replayed, and finds all that is wrong with it but for the request's rules.
func selectionOf(req *susulv1.ReplayEventsRequest) (relay.Selection, []*errdetails.BadRequest_FieldViolation) {
	var selection relay.Selection
	var violations []*errdetails.BadRequest_FieldViolation
	add := func(field, description string) {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{Field: field, Description: description})
	}
	number := func(field, text string) int64 {
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			add(field, "must be a positive 64-bit integer")
		}
		return n
	}
	moment := func(field string, t *timestamppb.Timestamp) time.Time {
		if t == nil {
			return time.Time{}
		}
		if t.CheckValid() != nil {
			add(field, "must lie in the years 1 to 9999")
		}
		return t.AsTime()
	}
	if name := req.GetDeadLetter(); name != "" {
		var app, endpoint, span string
		if resourcename.Sscan(name, deadLetterPattern, &app, &endpoint, &span) != nil || endpointName(app, endpoint) != req.GetParent() {
			add("dead_letter", "must be one of the endpoint that parent names")
		}
		selection.DeadLetter = number("dead_letter", span)
	}
	selection.Event = number("event_id", req.GetEventId())
	selection.PushID = number("msg_id", req.GetMsgId())
	selection.StartTime = moment("start_time", req.GetStartTime())
	selection.EndTime = moment("end_time", req.GetEndTime())
	if len(violations) == 0 && req.GetStartTime() != nil && req.GetEndTime() != nil && !selection.EndTime.After(selection.StartTime) {
		add("end_time", "must be later than start_time")
	}
	return selection, violations
}

func endpointToProto(h relay.Health) *susulv1.RelayEndpoint {
	p := &susulv1.RelayEndpoint{
		Name:                    endpointName(h.App, h.ID),
		Url:                     h.Address,
		State:                   endpointState(h),
		LagEvents:               int64(h.LagEvents),
		LagDuration:             durationpb.New(h.LagTime),
		AttemptCount:            h.Attempts,
		FailedAttemptCount:      h.Failed,
		DeliveredEventCount:     h.Delivered,
		ConsecutiveFailureCount: int32(h.Failures),
		FailingSince:            timeToProto(h.FailingSince),
		NextAttemptTime:         timeToProto(h.NextAttempt),
		LastError:               h.LastError,
		LastErrorTime:           timeToProto(h.LastErrorTime),
		LastSuccessTime:         timeToProto(h.LastSuccess),
		RetryingPushCount:       int32(h.Retrying),
		DeadLetterCount:         int64(h.DeadLetters),
		OpenReplayCount:         int32(h.Replays),
		CreateTime:              timeToProto(h.CreateTime),
	}
	if h.Subscription != "" {
		p.Subscription = subscriptionName(h.App, h.Subscription)
	}
	if h.SuccessRate >= 0 {
		p.SuccessRate = &h.SuccessRate
	}
	return p
}

// endpointState says what keeps an endpoint from getting events first of all: somebody's wish, its own, or its failures.
func endpointState(h relay.Health) susulv1.RelayEndpointState {
	switch {
	case h.Paused:
		return susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_PAUSED
	case h.State == storage.RelayGone:
		return susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_GONE
	case h.Open:
		return susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_OPEN
	case h.Failures > 0:
		return susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_FAILING
	default:
		return susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_HEALTHY
	}
}

func deadLetterToProto(span storage.RelaySpan) *susulv1.DeadLetter {
	return &susulv1.DeadLetter{
		Name:          resourcename.Sprint(deadLetterPattern, span.App, span.RelayEndpointKey.ID, msgID(span.ID)),
		MsgId:         optionalMsgID(span.PushID),
		FirstSequence: span.Next,
		LastSequence:  span.Last,
		EventCount:    span.Events,
		FailingSince:  timeToProto(span.FailingSince),
		FailureCount:  int32(span.Failures),
		LastError:     span.LastError,
		CreateTime:    timeToProto(span.CreateTime),
	}
}

func replayToProto(span storage.RelaySpan) *susulv1.Replay {
	return &susulv1.Replay{
		Name:                    resourcename.Sprint(replayPattern, span.App, span.RelayEndpointKey.ID, msgID(span.ID)),
		MsgId:                   optionalMsgID(span.PushID),
		NextSequence:            span.Next,
		LastSequence:            span.Last,
		StartTime:               timeToProto(span.StartTime),
		EndTime:                 timeToProto(span.EndTime),
		DeliveredEventCount:     span.Events,
		ConsecutiveFailureCount: int32(span.Failures),
		LastError:               span.LastError,
		CreateTime:              timeToProto(span.CreateTime),
	}
}

// optionalMsgID writes a push's id; none for 0.
func optionalMsgID(id int64) string {
	if id == 0 {
		return ""
	}
	return msgID(id)
}

func testToProto(r relay.TestResult) *susulv1.TestRelayEndpointResponse {
	return &susulv1.TestRelayEndpointResponse{
		Success: r.Error == "", HttpStatus: int32(r.Status), Error: r.Error, Duration: durationpb.New(r.Duration),
		Body: r.Body, WebhookId: r.WebhookID,
	}
}
