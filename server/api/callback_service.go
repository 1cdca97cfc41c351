package api

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/storage"
)

type callbackService struct {
	susulv1.UnimplementedCallbackServiceServer
	*API
}

func (s callbackService) ReportCallbacks(ctx context.Context, req *susulv1.ReportCallbacksRequest) (*susulv1.ReportCallbacksResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	rows := make([]storage.Callback, len(req.GetCallbacks()))
	for i, callback := range req.GetCallbacks() {
		rows[i] = callbackFromProto(callback)
	}
	summary, err := core.RecordCallbacks(ctx, app, rows)
	if err != nil {
		return nil, err
	}
	return &susulv1.ReportCallbacksResponse{
		NewCount: int32(summary.New), RepeatedCount: int32(summary.Repeated), HeldCount: int32(summary.Held),
	}, nil
}

const defaultEventPage = 100

func (s callbackService) ListEvents(ctx context.Context, req *susulv1.ListEventsRequest) (*susulv1.ListEventsResponse, error) {
	app, core, err := s.coreFor(ctx, req.GetParent())
	if err != nil {
		return nil, err
	}
	query := storage.EventQuery{App: app, RegistrationID: req.GetRegistrationId(), Limit: pageSize(req.GetPageSize(), defaultEventPage)}
	if query.PushID, err = parseOptionalMsgID(req.GetMsgId()); err != nil {
		return nil, err
	}
	if query.StartTime, err = parseOptionalTime("start_time", req.GetStartTime()); err != nil {
		return nil, err
	}
	if query.EndTime, err = parseOptionalTime("end_time", req.GetEndTime()); err != nil {
		return nil, err
	}
	list := fmt.Sprintf("events of %s, push %d, device %q, %v to %v", app, query.PushID, query.RegistrationID,
		query.StartTime, query.EndTime)
	if query.After, err = decodeNumberToken("page_token", req.GetPageToken(), list); err != nil {
		return nil, err
	}
	events, err := core.ListEvents(ctx, query)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ListEventsResponse{}
	for _, event := range events {
		resp.Events = append(resp.Events, eventToProto(event))
	}
	if len(events) == query.Limit {
		resp.NextPageToken = pageToken{Of: list, After: msgID(events[query.Limit-1].Sequence)}.encode()
	}
	return resp, nil
}

func (s callbackService) GetPushReport(ctx context.Context, req *susulv1.GetPushReportRequest) (*susulv1.GetPushReportResponse, error) {
	app, id, err := parsePush(req.GetName(), reportPattern)
	if err != nil {
		return nil, err
	}
	core, err := s.coreForApp(ctx, app)
	if err != nil {
		return nil, err
	}
	report, err := core.Report(ctx, app, id)
	if err != nil {
		return nil, err
	}
	effect, err := core.Effect(ctx, report)
	if err != nil {
		return nil, err
	}
	return &susulv1.GetPushReportResponse{Report: reportToProto(report, effect)}, nil
}

func (s callbackService) GetRecipient(ctx context.Context, req *susulv1.GetRecipientRequest) (*susulv1.GetRecipientResponse, error) {
	app, id, registrationID, core, err := s.coreForRecipient(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	found, err := core.Recipients(ctx, app, id, []string{registrationID})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound(req.GetName())
	}
	return &susulv1.GetRecipientResponse{Recipient: recipientToProto(app, id, found[0])}, nil
}

func (s callbackService) ExplainRecipient(ctx context.Context, req *susulv1.ExplainRecipientRequest) (*susulv1.ExplainRecipientResponse, error) {
	app, id, registrationID, core, err := s.coreForRecipient(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	explanation, err := core.ExplainRecipient(ctx, app, id, registrationID)
	if err != nil {
		return nil, err
	}
	resp := &susulv1.ExplainRecipientResponse{}
	if pinned := explanation.Policy; pinned != nil {
		resp.ResendPolicy, resp.ResendPolicyRevision = policyName(pinned.Name), pinned.Revision
	}
	for _, occurrence := range explanation.Occurrences {
		resp.Occurrences = append(resp.Occurrences, occurrenceToProto(occurrence))
	}
	return resp, nil
}

func (s callbackService) coreForRecipient(
	ctx context.Context, name string,
) (app string, id int64, registrationID string, core *delivery.Service, err error) {
	if app, id, err = parsePush(name, recipientPattern, &registrationID); err != nil {
		return "", 0, "", nil, err
	}
	core, err = s.coreForApp(ctx, app)
	return app, id, registrationID, core, err
}

func occurrenceToProto(o delivery.Occurrence) *susulv1.Occurrence {
	p := &susulv1.Occurrence{
		Time:              timeToProto(o.Time),
		Step:              int32(o.Step),
		Kind:              susulv1.OccurrenceKind(susulv1.OccurrenceKind_value["OCCURRENCE_KIND_"+string(o.Kind)]),
		Reason:            o.Reason,
		Variant:           o.Variant,
		DueTime:           timeToProto(o.DueTime),
		UpstreamMessageId: o.UpstreamID,
		PlainContent:      o.PlainContent,
		Text:              o.Text,
	}
	if o.Event != nil {
		p.Event = eventToProto(*o.Event)
	}
	return p
}

func callbackFromProto(callback *susulv1.Callback) storage.Callback {
	row := storage.Callback{
		UpstreamID:     callback.GetUpstreamMessageId(),
		RegistrationID: callback.GetRegistrationId(),
		Status:         callback.GetStatus(),
		ErrorCode:      int(callback.GetErrorCode()),
		ErrorMessage:   callback.GetErrorMessage(),
		Channel:        callback.GetChannel(),
		LossSource:     callback.GetLossSource(),
	}
	if callback.GetEventTime() != nil {
		row.Time = callback.GetEventTime().AsTime()
	}
	return row
}

func eventToProto(event storage.Event) *susulv1.Event {
	return &susulv1.Event{
		Sequence:    event.Sequence,
		Push:        pushName(event.App, event.PushID),
		MsgId:       msgID(event.PushID),
		Step:        int32(event.Step),
		Milestone:   milestoneToProto(event.Milestone),
		ReceiveTime: timestamppb.New(event.ReceiveTime),
		Callback:    callbackToProto(event.Callback),
		Variant:     event.Variant,
	}
}

func callbackToProto(row storage.Callback) *susulv1.Callback {
	return &susulv1.Callback{
		UpstreamMessageId: row.UpstreamID,
		RegistrationId:    row.RegistrationID,
		Status:            row.Status,
		EventTime:         timestamppb.New(row.Time),
		ErrorCode:         int32(row.ErrorCode),
		ErrorMessage:      row.ErrorMessage,
		Channel:           row.Channel,
		LossSource:        row.LossSource,
	}
}

// milestones holds the milestones in order; the proto's numbers are storage's.
var milestones = []storage.Milestone{storage.Sent, storage.Delivered, storage.Displayed, storage.Clicked, storage.Failed}

func milestoneToProto(m storage.Milestone) susulv1.Milestone { return susulv1.Milestone(m) }

// milestoneFromProto returns a milestone that is none for a number that the proto does not name.
func milestoneFromProto(m susulv1.Milestone) storage.Milestone {
	if _, named := susulv1.Milestone_name[int32(m)]; !named {
		return math.MaxUint8
	}
	return storage.Milestone(m)
}

func recipientToProto(app string, id int64, r storage.Recipient) *susulv1.Recipient {
	p := &susulv1.Recipient{
		Name: recipientName(app, id, r.RegistrationID), RegistrationId: r.RegistrationID,
		Milestone: milestoneToProto(furthest(r.Progress.InAnyStep())),
	}
	for step := range storage.MaxSteps {
		reached := r.Progress.At(step)
		if reached == 0 {
			continue
		}
		s := &susulv1.StepProgress{Step: int32(step)}
		for _, m := range milestones {
			if reached.Has(m) {
				s.Milestones = append(s.Milestones, milestoneToProto(m))
			}
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

// furthest returns the last milestone reached; a failure counts only if nothing else was.
func furthest(reached storage.Milestones) storage.Milestone {
	for m := storage.Clicked; m > storage.MilestoneUnknown; m-- {
		if reached.Has(m) {
			return m
		}
	}
	if reached.Has(storage.Failed) {
		return storage.Failed
	}
	return storage.MilestoneUnknown
}
