package api

import (
	"context"
	"errors"
	"strconv"

	"go.einride.tech/aip/resourcename"
	"google.golang.org/grpc/codes"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/storage"
)

type relayService struct {
	susulv1.UnimplementedRelayServiceServer
	*API
}

// relayFor returns what brings events out, if the caller may use the app.
func (a *API) relayFor(ctx context.Context, app string) (*relay.Relay, error) {
	if err := a.useApp(ctx, app); err != nil {
		return nil, err
	}
	backend, err := a.backend()
	if err == nil && backend.Relay == nil {
		err = &StandbyError{} // another node relays
	}
	return backend.Relay, err
}

// endpoint is an endpoint that a request names.
type endpoint struct {
	app, id string
	relay   *relay.Relay
}

// endpointFor reads the name of an endpoint, in the given field, that the caller may use. Whether it exists is not known yet.
func (s relayService) endpointFor(ctx context.Context, field, name string) (endpoint, error) {
	var e endpoint
	if err := resourcename.Sscan(name, endpointPattern, &e.app, &e.id); err != nil {
		return endpoint{}, invalid(field, "must look like "+endpointPattern)
	}
	var err error
	e.relay, err = s.relayFor(ctx, e.app)
	return e, err
}

// spanFor reads the name of something that belongs to an endpoint and has a number.
func (s relayService) spanFor(ctx context.Context, name, pattern string) (endpoint, int64, error) {
	var e endpoint
	var text string
	if err := resourcename.Sscan(name, pattern, &e.app, &e.id, &text); err != nil {
		return endpoint{}, 0, invalid("name", "must look like "+pattern)
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return endpoint{}, 0, invalid("name", "must end with a positive 64-bit integer")
	}
	e.relay, err = s.relayFor(ctx, e.app)
	return e, number, err
}

func (s relayService) GetRelayEndpoint(ctx context.Context, req *susulv1.GetRelayEndpointRequest) (*susulv1.GetRelayEndpointResponse, error) {
	e, err := s.endpointFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	found, err := e.relay.Endpoint(ctx, e.app, e.id)
	if err != nil {
		return nil, err
	}
	return &susulv1.GetRelayEndpointResponse{RelayEndpoint: endpointToProto(found)}, nil
}

const defaultRelayPage = 100

func (s relayService) ListRelayEndpoints(ctx context.Context, req *susulv1.ListRelayEndpointsRequest) (*susulv1.ListRelayEndpointsResponse, error) {
	app, err := parseApp(req.GetParent())
	if err != nil {
		return nil, err
	}
	relays, err := s.relayFor(ctx, app)
	if err != nil {
		return nil, err
	}
	list := "relay endpoints of " + app
	after, err := decodePageToken("page_token", req.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	limit := pageSize(req.GetPageSize(), defaultRelayPage)
	found, err := relays.Endpoints(ctx, app, after, limit)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListRelayEndpointsResponse{}
	for _, one := range found {
		resp.RelayEndpoints = append(resp.RelayEndpoints, endpointToProto(one))
	}
	if len(found) == limit {
		resp.NextPageToken = pageToken{Of: list, After: found[limit-1].ID}.encode()
	}
	return resp, nil
}

func (s relayService) PauseRelayEndpoint(ctx context.Context, req *susulv1.PauseRelayEndpointRequest) (*susulv1.PauseRelayEndpointResponse, error) {
	e, err := s.endpointFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	paused, err := e.relay.Pause(ctx, e.app, e.id)
	if err != nil {
		return nil, wrongState(err, "this is a subscription's endpoint: set the subscription's `paused` to true instead")
	}
	return &susulv1.PauseRelayEndpointResponse{RelayEndpoint: endpointToProto(paused)}, nil
}

func (s relayService) ResumeRelayEndpoint(ctx context.Context, req *susulv1.ResumeRelayEndpointRequest) (*susulv1.ResumeRelayEndpointResponse, error) {
	e, err := s.endpointFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	resumed, err := e.relay.Resume(ctx, e.app, e.id)
	if err != nil {
		return nil, wrongState(err, "the endpoint's subscription is paused: set its `paused` to false first")
	}
	return &susulv1.ResumeRelayEndpointResponse{RelayEndpoint: endpointToProto(resumed)}, nil
}

// wrongState says what an endpoint's state does not allow. Other errors stay what they are.
func wrongState(err error, text string) error {
	if !errors.Is(err, storage.ErrConflict) {
		return err
	}
	return &Fault{Code: codes.FailedPrecondition, Reason: susulv1.ErrorReason_ERROR_REASON_WRONG_STATE, Message: text}
}

func (s relayService) TestRelayEndpoint(ctx context.Context, req *susulv1.TestRelayEndpointRequest) (*susulv1.TestRelayEndpointResponse, error) {
	e, err := s.endpointFor(ctx, "name", req.GetName())
	if err != nil {
		return nil, err
	}
	result, err := e.relay.Test(ctx, e.app, e.id)
	if err != nil {
		return nil, err
	}
	return testToProto(result), nil
}

func (s relayService) ListDeadLetters(ctx context.Context, req *susulv1.ListDeadLettersRequest) (*susulv1.ListDeadLettersResponse, error) {
	spans, next, err := s.listSpans(ctx, req, storage.SpanDead)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListDeadLettersResponse{NextPageToken: next}
	for _, span := range spans {
		resp.DeadLetters = append(resp.DeadLetters, deadLetterToProto(span))
	}
	return resp, nil
}

func (s relayService) ListReplays(ctx context.Context, req *susulv1.ListReplaysRequest) (*susulv1.ListReplaysResponse, error) {
	spans, next, err := s.listSpans(ctx, req, storage.SpanReplay)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListReplaysResponse{NextPageToken: next}
	for _, span := range spans {
		resp.Replays = append(resp.Replays, replayToProto(span))
	}
	return resp, nil
}

// listRequest asks for a page of what belongs to an endpoint.
type listRequest interface {
	GetParent() string
	GetPageSize() int32
	GetPageToken() string
}

// listSpans returns a page of an endpoint's spans, and the token of the next one.
func (s relayService) listSpans(ctx context.Context, req listRequest, kind storage.RelaySpanKind) ([]storage.RelaySpan, string, error) {
	e, err := s.endpointFor(ctx, "parent", req.GetParent())
	if err != nil {
		return nil, "", err
	}
	list := string(kind) + " spans of " + req.GetParent()
	after, err := decodeNumberToken("page_token", req.GetPageToken(), list)
	if err != nil {
		return nil, "", err
	}
	limit := pageSize(req.GetPageSize(), defaultRelayPage)
	spans, err := e.relay.Spans(ctx, e.app, e.id, kind, after, limit)
	if err != nil {
		return nil, "", named(err, req.GetParent())
	}
	next := ""
	if len(spans) == limit {
		next = pageToken{Of: list, After: msgID(spans[limit-1].ID)}.encode()
	}
	return spans, next, nil
}

// named says what does not exist. Other errors stay what they are.
func named(err error, resource string) error {
	if errors.Is(err, storage.ErrNotFound) {
		return notFound(resource)
	}
	return err
}

func (s relayService) DeleteDeadLetter(ctx context.Context, req *susulv1.DeleteDeadLetterRequest) (*susulv1.DeleteDeadLetterResponse, error) {
	e, span, err := s.spanFor(ctx, req.GetName(), deadLetterPattern)
	if err != nil {
		return nil, err
	}
	if err := e.relay.DropSpan(ctx, e.app, e.id, storage.SpanDead, span); err != nil {
		return nil, err
	}
	return &susulv1.DeleteDeadLetterResponse{}, nil
}

func (s relayService) CancelReplay(ctx context.Context, req *susulv1.CancelReplayRequest) (*susulv1.CancelReplayResponse, error) {
	e, span, err := s.spanFor(ctx, req.GetName(), replayPattern)
	if err != nil {
		return nil, err
	}
	if err := e.relay.DropSpan(ctx, e.app, e.id, storage.SpanReplay, span); err != nil {
		return nil, err
	}
	return &susulv1.CancelReplayResponse{}, nil
}

func (s relayService) ReplayEvents(ctx context.Context, req *susulv1.ReplayEventsRequest) (*susulv1.ReplayEventsResponse, error) {
	e, err := s.endpointFor(ctx, "parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	selection, violations := selectionOf(req)
	if len(violations) > 0 {
		return nil, invalidFields(violations)
	}
	replay, err := e.relay.Replay(ctx, e.app, e.id, selection)
	if err != nil {
		return nil, e.missing(ctx, err, req)
	}
	return &susulv1.ReplayEventsResponse{Replay: replayToProto(replay)}, nil
}

// missing says what a replay did not find: the endpoint, or else what was to be replayed. Other errors stay what they are.
func (e endpoint) missing(ctx context.Context, err error, req *susulv1.ReplayEventsRequest) error {
	if !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if _, err := e.relay.Endpoint(ctx, e.app, e.id); err != nil {
		return named(err, req.GetParent())
	}
	if req.GetDeadLetter() != "" {
		return notFound(req.GetDeadLetter())
	}
	fault := notFound(appName(e.app) + "/events")
	fault.Message = "no event that is stored is selected"
	return fault
}
