package api

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// watchAhead is how many answers wait for a stream's client at most, besides those that gRPC's own windows take.
const watchAhead = 16

var errSlowConsumer = errors.New("the client takes nothing")

func (s callbackService) WatchEvents(req *susulv1.WatchEventsRequest, stream susulv1.CallbackService_WatchEventsServer) error {
	app, core, err := s.coreFor(stream.Context(), req.GetParent())
	if err != nil {
		return err
	}
	query := relay.WatchQuery{App: app}
	if query.PushID, err = parseOptionalMsgID(req.GetMsgId()); err != nil {
		return err
	}
	if filter := req.GetFilter(); filter != "" {
		if query.Filter, err = subscription.CompileFilter(filter); err != nil {
			return invalid("filter", err.Error())
		}
	}
	list := "watch of " + app
	if query.After, err = decodeNumberToken("resume_token", req.GetResumeToken(), list); err != nil {
		return err
	}
	if req.GetResumeToken() == "" {
		if query.After, err = core.LastSequence(stream.Context()); err != nil {
			return err
		}
	}
	backend, err := s.backend()
	if err != nil {
		return err
	}
	w := watch{stream: stream, list: list, patience: s.slowConsumer, answers: make(chan watchAnswer, watchAhead)}
	return w.run(backend.Events, query)
}

// watch is a WatchEvents call: the call's goroutine reads events, and another sends them.
//
//	Events.Watch ─► answers ─► Send ─► gRPC's windows ─► client
//
// Send waits for a client that takes nothing, and nothing but the end of the call makes it return. So it is the other goroutine that
// waits: when the client's time is up, the call ends, gRPC puts its status behind the answers that it took, and Send returns.
type watch struct {
	stream   susulv1.CallbackService_WatchEventsServer
	list     string // what resume tokens are of
	patience time.Duration
	answers  chan watchAnswer
	sent     atomic.Int64 // the sequence that the last answer which gRPC took told of

	// The custom_args of the push that the last event was of, as many events are of one push.
	lastPush       *subscription.Push
	lastCustomArgs *structpb.Value
}

// watchAnswer tells an event, or only how far the stream came.
type watchAnswer struct {
	event   *storage.Event
	push    *subscription.Push
	through int64
}

func (w *watch) run(events Events, query relay.WatchQuery) error {
	ctx, end := context.WithCancelCause(w.stream.Context())
	defer end(nil)
	tell := func(event *storage.Event, push *subscription.Push, through int64) error {
		select {
		case w.answers <- watchAnswer{event, push, through}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.sent.Store(query.After)
	go w.send(ctx, end)
	err := tell(nil, nil, query.After)
	if err == nil {
		err = events.Watch(ctx, query, tell)
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSlowConsumer):
		return &Fault{
			Code: codes.ResourceExhausted, Reason: susulv1.ErrorReason_ERROR_REASON_SLOW_CONSUMER, Retry: true,
			Message:  "the client took no answer for " + w.patience.String() + ": resume with the last token",
			Metadata: map[string]string{"resume_token": w.token(w.sent.Load())},
		}
	case cause != nil:
		return cause
	}
	return err
}

// send sends answers until the context ends, at the latest with the call.
func (w *watch) send(ctx context.Context, end context.CancelCauseFunc) {
	late := time.AfterFunc(w.patience, func() { end(errSlowConsumer) }) //nolint:forbidigo // a client's time is real
	defer late.Stop()
	for {
		late.Stop()
		select {
		case answer := <-w.answers:
			late.Reset(w.patience)
			if err := w.stream.Send(w.response(answer)); err != nil {
				end(err)
				return
			}
			w.sent.Store(answer.through)
		case <-ctx.Done():
			return
		}
	}
}

func (w *watch) response(answer watchAnswer) *susulv1.WatchEventsResponse {
	resp := &susulv1.WatchEventsResponse{ResumeToken: w.token(answer.through)}
	if answer.event != nil {
		resp.Event, resp.CustomArgs = eventToProto(*answer.event), w.customArgs(answer.push)
	}
	return resp
}

// customArgs returns a push's custom_args; nil if it has none, or they are nothing that a protobuf can hold.
func (w *watch) customArgs(push *subscription.Push) *structpb.Value {
	if push != w.lastPush {
		w.lastPush, w.lastCustomArgs = push, nil
		if value := new(structpb.Value); len(push.CustomArgsAs) > 0 && protojson.Unmarshal(push.CustomArgsAs, value) == nil {
			w.lastCustomArgs = value
		}
	}
	return w.lastCustomArgs
}

func (w *watch) token(after int64) string { return pageToken{Of: w.list, After: msgID(after)}.encode() }
