package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/storage"
)

type pushService struct {
	susulv1.UnimplementedPushServiceServer
	*API
}

func (s pushService) CreatePush(ctx context.Context, req *susulv1.CreatePushRequest) (*susulv1.CreatePushResponse, error) {
	core, request, err := s.pushRequest(ctx, req.GetParent(), req.GetPush())
	if err != nil {
		return nil, err
	}
	push, err := core.CreatePush(ctx, request)
	if err != nil {
		return nil, err
	}
	// The push is made: that its queue can't be read now is no reason to say otherwise.
	shown, err := withFinish(ctx, core, push)
	if err != nil {
		shown = pushToProto(push, true)
	}
	return &susulv1.CreatePushResponse{Push: shown}, nil
}

// withFinish shows a push with the time at which what is queued of it will probably have gone out.
func withFinish(ctx context.Context, core *delivery.Service, push storage.Push) (*susulv1.Push, error) {
	shown := pushToProto(push, true)
	finish, queued, err := core.ExpectedFinish(ctx, push)
	if err != nil {
		return nil, err
	}
	if queued {
		shown.ExpectedFinishTime = timestamppb.New(finish)
	}
	return shown, nil
}

func (s pushService) ValidatePush(ctx context.Context, req *susulv1.ValidatePushRequest) (*susulv1.ValidatePushResponse, error) {
	core, request, err := s.pushRequest(ctx, req.GetParent(), req.GetPush())
	if err != nil {
		return nil, err
	}
	id, err := core.ValidatePush(ctx, request)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ValidatePushResponse{}
	if id != "" {
		resp.ResendPolicy = policyName(id)
	}
	return resp, nil
}

// pushRequest checks that the caller may push for the app, and turns the typed push into EngageLab's document.
func (s pushService) pushRequest(ctx context.Context, parent string, push *susulv1.Push) (*delivery.Service, delivery.PushRequest, error) {
	app, core, err := s.coreFor(ctx, parent)
	if err != nil {
		return nil, delivery.PushRequest{}, err
	}
	document, err := documentOf(push)
	if err != nil {
		return nil, delivery.PushRequest{}, err
	}
	return core, delivery.PushRequest{
		App: app, Document: document,
		PolicyID: strings.TrimPrefix(push.GetResendPolicy(), policyPrefix),
	}, nil
}

// coreFor returns the app that a parent names, and the core, if the caller may use the app.
func (a *API) coreFor(ctx context.Context, parent string) (string, *delivery.Service, error) {
	app, err := parseApp(parent)
	if err != nil {
		return "", nil, err
	}
	core, err := a.coreForApp(ctx, app)
	return app, core, err
}

func (a *API) coreForApp(ctx context.Context, app string) (*delivery.Service, error) {
	if err := a.useApp(ctx, app); err != nil {
		return nil, err
	}
	return a.core()
}

func (s pushService) WithdrawPush(ctx context.Context, req *susulv1.WithdrawPushRequest) (*susulv1.WithdrawPushResponse, error) {
	app, id, err := parsePush(req.GetName(), pushPattern)
	if err != nil {
		return nil, err
	}
	core, err := s.coreForApp(ctx, app)
	if err != nil {
		return nil, err
	}
	push, err := core.WithdrawPush(ctx, app, id)
	if err != nil {
		return nil, err
	}
	return &susulv1.WithdrawPushResponse{Push: pushToProto(push, true)}, nil
}

func (s pushService) GetPush(ctx context.Context, req *susulv1.GetPushRequest) (*susulv1.GetPushResponse, error) {
	app, id, err := parsePush(req.GetName(), pushPattern)
	if err != nil {
		return nil, err
	}
	core, err := s.coreForApp(ctx, app)
	if err != nil {
		return nil, err
	}
	push, err := core.GetPush(ctx, app, id)
	if err != nil {
		return nil, err
	}
	shown, err := withFinish(ctx, core, push)
	if err != nil {
		return nil, err
	}
	return &susulv1.GetPushResponse{Push: shown}, nil
}

const (
	defaultPushPage = 50

	// maxShown is how large, in bytes, a document may be to be shown: as a Struct it takes several times as much, and
	// gRPC clients take answers of 4 MiB.
	maxShown = 256 << 10

	// maxNesting bounds the depth of JSON that becomes a Struct. Each level takes three of a message's 10,000.
	maxNesting = 1000
)

func (s pushService) ListPushes(ctx context.Context, req *susulv1.ListPushesRequest) (*susulv1.ListPushesResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	list := "pushes of " + app
	before, err := decodeNumberToken("page_token", req.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	limit := pageSize(req.GetPageSize(), defaultPushPage)
	pushes, err := core.ListPushes(ctx, storage.PushQuery{App: app, Before: before, Limit: limit})
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListPushesResponse{}
	for _, push := range pushes {
		resp.Pushes = append(resp.Pushes, pushToProto(push, false))
	}
	if len(pushes) == limit {
		resp.NextPageToken = pageToken{Of: list, After: msgID(pushes[limit-1].ID)}.encode()
	}
	return resp, nil
}

func pushToProto(push storage.Push, withDocument bool) *susulv1.Push {
	p := &susulv1.Push{
		Name:           pushName(push.App, push.ID),
		MsgId:          msgID(push.ID),
		RequestId:      delivery.RequestID(push),
		CallbackUrls:   push.CallbackURLs,
		State:          susulv1.PushState(susulv1.PushState_value["PUSH_STATE_"+string(push.State)]),
		CreateTime:     timestamppb.New(push.CreateTime),
		FirstSentTime:  timeToProto(push.FirstSentTime),
		RecipientCount: int64(push.Recipients),
		External:       push.External,
	}
	if push.Policy != nil {
		p.ResendPolicy, p.ResendPolicyRevision = policyName(push.Policy.Name), push.Policy.Revision
	}
	if push.Refusal != nil {
		p.Refusal = &susulv1.Refusal{
			HttpStatus: int32(push.Refusal.HTTPStatus), Code: int32(push.Refusal.Code), Message: push.Refusal.Message,
		}
	}
	if withDocument && len(push.Document) <= maxShown {
		p.Document = structOf(push.Document)
		p.From = p.GetDocument().GetFields()["from"].GetStringValue()
	}
	return p
}
