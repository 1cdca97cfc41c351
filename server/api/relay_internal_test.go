package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/relay"
	"susul.dev/susul/storage"
)

func TestSelections(t *testing.T) {
	const parent = "apps/a/relayEndpoints/sub-s"
	at := func(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }
	for name, c := range map[string]struct {
		req    *susulv1.ReplayEventsRequest
		want   relay.Selection
		faults []string
	}{
		"dead letter":             {&susulv1.ReplayEventsRequest{DeadLetter: parent + "/deadLetters/7"}, relay.Selection{DeadLetter: 7}, nil},
		"event":                   {&susulv1.ReplayEventsRequest{EventId: "8"}, relay.Selection{Event: 8}, nil},
		"push":                    {&susulv1.ReplayEventsRequest{MsgId: "9"}, relay.Selection{PushID: 9}, nil},
		"from":                    {&susulv1.ReplayEventsRequest{StartTime: at(1)}, relay.Selection{StartTime: time.Unix(1, 0).UTC()}, nil},
		"until":                   {&susulv1.ReplayEventsRequest{EndTime: at(2)}, relay.Selection{EndTime: time.Unix(2, 0).UTC()}, nil},
		"push in a span":          {&susulv1.ReplayEventsRequest{MsgId: "9", StartTime: at(1), EndTime: at(2)}, relay.Selection{PushID: 9, StartTime: time.Unix(1, 0).UTC(), EndTime: time.Unix(2, 0).UTC()}, nil},
		"empty span":              {&susulv1.ReplayEventsRequest{StartTime: at(2), EndTime: at(2)}, relay.Selection{}, []string{"end_time"}},
		"span in reverse":         {&susulv1.ReplayEventsRequest{StartTime: at(2), EndTime: at(1)}, relay.Selection{}, []string{"end_time"}},
		"times of no year":        {&susulv1.ReplayEventsRequest{StartTime: at(-1e15), EndTime: at(1e15)}, relay.Selection{}, []string{"start_time", "end_time"}},
		"another's dead letter":   {&susulv1.ReplayEventsRequest{DeadLetter: "apps/a/relayEndpoints/sub-t/deadLetters/7"}, relay.Selection{}, []string{"dead_letter"}},
		"another app's":           {&susulv1.ReplayEventsRequest{DeadLetter: "apps/b/relayEndpoints/sub-s/deadLetters/7"}, relay.Selection{}, []string{"dead_letter"}},
		"large numbers":           {&susulv1.ReplayEventsRequest{EventId: "9999999999999999999", MsgId: "9999999999999999999"}, relay.Selection{}, []string{"event_id", "msg_id"}},
		"large dead letter":       {&susulv1.ReplayEventsRequest{DeadLetter: parent + "/deadLetters/9999999999999999999"}, relay.Selection{}, []string{"dead_letter"}},
		"not even of the pattern": {&susulv1.ReplayEventsRequest{DeadLetter: "7", EventId: "x"}, relay.Selection{}, []string{"dead_letter", "event_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.req.Parent = parent
			got, violations := selectionOf(c.req)
			var fields []string
			for _, violation := range violations {
				fields = append(fields, violation.GetField())
			}
			require.Equal(t, c.faults, fields)
			if c.faults == nil {
				require.Equal(t, c.want, got)
			}
		})
	}
}

func TestEndpointStates(t *testing.T) {
	state := func(h relay.Health) string {
		return endpointToProto(h).GetState().String()[len("RELAY_ENDPOINT_STATE_"):]
	}
	gone := storage.RelayEndpoint{State: storage.RelayGone, Failures: 5}
	active := storage.RelayEndpoint{State: storage.RelayActive, Failures: 5}
	for want, h := range map[string]relay.Health{
		"HEALTHY": {RelayEndpoint: storage.RelayEndpoint{State: storage.RelayActive}},
		"FAILING": {RelayEndpoint: active},
		"OPEN":    {RelayEndpoint: active, Open: true},
		"GONE":    {RelayEndpoint: gone, Open: true},
		"PAUSED":  {RelayEndpoint: gone, Open: true, Paused: true},
	} {
		require.Equal(t, want, state(h))
	}
}

func TestEndpointsAreShownWhole(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }
	stamp := func(minute int) *timestamppb.Timestamp { return timestamppb.New(at(minute)) }
	h := relay.Health{
		RelayEndpoint: storage.RelayEndpoint{
			RelayEndpointKey: storage.RelayEndpointKey{App: "a", ID: "sub-s"}, State: storage.RelayActive, Failures: 3,
			FailingSince: at(1), NextAttempt: at(2), LastError: "HTTP status 500", LastErrorTime: at(3), LastSuccess: at(4),
			Attempts: 9, Failed: 4, Delivered: 700, CreateTime: at(5),
		},
		Subscription: "s", Address: "https://example.com/events", Open: true, LagEvents: 11, LagTime: time.Minute,
		SuccessRate: 0, Retrying: 2, DeadLetters: 6, Replays: 1,
	}
	want := &susulv1.RelayEndpoint{
		Name: "apps/a/relayEndpoints/sub-s", Subscription: "apps/a/subscriptions/s", Url: "https://example.com/events",
		State: susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_OPEN, LagEvents: 11, LagDuration: durationpb.New(time.Minute),
		AttemptCount: 9, FailedAttemptCount: 4, SuccessRate: new(float64), DeliveredEventCount: 700, ConsecutiveFailureCount: 3,
		FailingSince: stamp(1), NextAttemptTime: stamp(2), LastError: "HTTP status 500", LastErrorTime: stamp(3), LastSuccessTime: stamp(4),
		RetryingPushCount: 2, DeadLetterCount: 6, OpenReplayCount: 1, CreateTime: stamp(5),
	}
	got := endpointToProto(h)
	require.True(t, proto.Equal(want, got), "want %v\ngot  %v", want, got)
	h.SuccessRate, h.Subscription, h.NextAttempt = -1, "", time.Time{}
	got = endpointToProto(h)
	require.Nil(t, got.SuccessRate, "unknown is not none")
	require.Empty(t, got.GetSubscription())
	require.Nil(t, got.GetNextAttemptTime())
}

func TestSpansAreShownWhole(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }
	stamp := func(minute int) *timestamppb.Timestamp { return timestamppb.New(at(minute)) }
	span := storage.RelaySpan{
		RelayEndpointKey: storage.RelayEndpointKey{App: "a", ID: "url-0"}, ID: 7, PushID: 8, Next: 9, Last: 10,
		StartTime: at(1), EndTime: at(2), Events: 3, Failures: 4, FailingSince: at(3), LastError: "connection refused", CreateTime: at(4),
	}
	letter := &susulv1.DeadLetter{
		Name: "apps/a/relayEndpoints/url-0/deadLetters/7", MsgId: "8", FirstSequence: 9, LastSequence: 10, EventCount: 3,
		FailingSince: stamp(3), FailureCount: 4, LastError: "connection refused", CreateTime: stamp(4),
	}
	require.True(t, proto.Equal(letter, deadLetterToProto(span)), "%v", deadLetterToProto(span))
	replay := &susulv1.Replay{
		Name: "apps/a/relayEndpoints/url-0/replays/7", MsgId: "8", NextSequence: 9, LastSequence: 10, StartTime: stamp(1), EndTime: stamp(2),
		DeliveredEventCount: 3, ConsecutiveFailureCount: 4, LastError: "connection refused", CreateTime: stamp(4),
	}
	require.True(t, proto.Equal(replay, replayToProto(span)), "%v", replayToProto(span))
	span.PushID, span.StartTime, span.EndTime = 0, time.Time{}, time.Time{}
	require.Empty(t, deadLetterToProto(span).GetMsgId())
	require.Empty(t, replayToProto(span).GetMsgId())
	require.Nil(t, replayToProto(span).GetEndTime())
}
