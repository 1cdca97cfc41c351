package api

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/storage"
)

const holdReasonPrefix = "HOLD_REASON_"

func (s callbackService) ListHeldCallbacks(ctx context.Context, req *susulv1.ListHeldCallbacksRequest) (*susulv1.ListHeldCallbacksResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	query := storage.HeldQuery{App: app, Limit: pageSize(req.GetPageSize(), defaultEventPage)}
	if req.GetReason() != susulv1.HoldReason_HOLD_REASON_UNSPECIFIED {
		query.Reason = storage.HoldReason(strings.TrimPrefix(req.GetReason().String(), holdReasonPrefix))
	}
	list := fmt.Sprintf("held callbacks of %s for %q", app, query.Reason)
	if query.After, err = decodeNumberToken("page_token", req.GetPageToken(), list); err != nil {
		return nil, err
	}
	held, err := core.ListHeldCallbacks(ctx, query)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListHeldCallbacksResponse{}
	for _, one := range held {
		resp.HeldCallbacks = append(resp.HeldCallbacks, &susulv1.HeldCallback{
			Reason:      susulv1.HoldReason(susulv1.HoldReason_value[holdReasonPrefix+string(one.Reason)]),
			Callback:    callbackToProto(one.Callback),
			Milestone:   milestoneToProto(one.Milestone),
			ReceiveTime: timestamppb.New(one.ReceiveTime),
		})
	}
	if len(held) == query.Limit {
		resp.NextPageToken = pageToken{Of: list, After: msgID(held[query.Limit-1].ID)}.encode()
	}
	return resp, nil
}

// ListRefusedCallbacks needs no store: a node that stands by tells what it has refused, too.
func (s callbackService) ListRefusedCallbacks(ctx context.Context, req *susulv1.ListRefusedCallbacksRequest) (*susulv1.ListRefusedCallbacksResponse, error) {
	app, err := parseApp(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.useApp(ctx, app); err != nil {
		return nil, err
	}
	resp := &susulv1.ListRefusedCallbacksResponse{}
	for _, one := range s.guards[app].refusals.list() {
		refused := &susulv1.RefusedCallback{
			Reason: one.reason, ReceiveTime: timestamppb.New(one.time), BodySize: one.size,
		}
		if one.source.IsValid() {
			refused.SourceAddress = one.source.String()
		}
		resp.RefusedCallbacks = append(resp.RefusedCallbacks, refused)
	}
	return resp, nil
}
