package api_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

var (
	unauthenticated = want{code: codes.Unauthenticated, http: http.StatusUnauthorized, reason: "UNAUTHENTICATED"}
	forbidden       = want{code: codes.PermissionDenied, http: http.StatusForbidden, reason: "PERMISSION_DENIED"}
	missing         = want{code: codes.NotFound, http: http.StatusNotFound, reason: "NOT_FOUND"}
)

func invalid(fields ...string) want {
	return want{code: codes.InvalidArgument, http: http.StatusBadRequest, reason: "INVALID_REQUEST", fields: fields}
}

// everyCall returns one sound request for each unary RPC that is about an app, and for each that is about policies.
func everyCall() (ofApp, ofPolicies []proto.Message) {
	policy := &susulv1.ResendPolicy{Name: "resendPolicies/nobody"}
	subscribed, endpoint := app+"/subscriptions/nobody", app+"/relayEndpoints/url-0123456789abcdef"
	return []proto.Message{
			&susulv1.CreatePushRequest{Parent: app, Push: pushTo("", "a")},
			&susulv1.ValidatePushRequest{Parent: app, Push: pushTo("", "a")},
			&susulv1.WithdrawPushRequest{Name: app + "/pushes/1"},
			&susulv1.GetPushRequest{Name: app + "/pushes/1"},
			&susulv1.ListPushesRequest{Parent: app},
			&susulv1.ReportCallbacksRequest{Parent: app, Callbacks: []*susulv1.Callback{
				{UpstreamMessageId: "1", RegistrationId: "a", Status: "sent"},
			}},
			&susulv1.ListEventsRequest{Parent: app},
			&susulv1.WatchEventsRequest{Parent: app},
			&susulv1.ListHeldCallbacksRequest{Parent: app},
			&susulv1.ListRefusedCallbacksRequest{Parent: app},
			&susulv1.GetPushReportRequest{Name: app + "/pushes/1/report"},
			&susulv1.GetRecipientRequest{Name: app + "/pushes/1/recipients/a"},
			&susulv1.ExplainRecipientRequest{Name: app + "/pushes/1/recipients/a"},
			&susulv1.SetDevicesRequest{Parent: app, Devices: []*susulv1.Device{{RegistrationId: "a"}}},
			&susulv1.GetDeviceRequest{Name: app + "/devices/a"},
			&susulv1.DeleteDeviceRequest{Name: app + "/devices/a"},
			&susulv1.ListInvalidDevicesRequest{Parent: app},
			&susulv1.ReviveDevicesRequest{Parent: app, RegistrationIds: []string{"a"}},
			&susulv1.CreateSubscriptionRequest{Parent: app, SubscriptionId: "nobody", Subscription: subscription()},
			&susulv1.GetSubscriptionRequest{Name: subscribed},
			&susulv1.ListSubscriptionsRequest{Parent: app},
			&susulv1.UpdateSubscriptionRequest{Subscription: &susulv1.Subscription{Name: subscribed}},
			&susulv1.RotateSubscriptionSecretRequest{Name: subscribed},
			&susulv1.DeleteSubscriptionRequest{Name: subscribed},
			&susulv1.GetRelayEndpointRequest{Name: endpoint},
			&susulv1.ListRelayEndpointsRequest{Parent: app},
			&susulv1.PauseRelayEndpointRequest{Name: endpoint},
			&susulv1.ResumeRelayEndpointRequest{Name: endpoint},
			&susulv1.TestRelayEndpointRequest{Name: endpoint},
			&susulv1.ListDeadLettersRequest{Parent: endpoint},
			&susulv1.DeleteDeadLetterRequest{Name: endpoint + "/deadLetters/1"},
			&susulv1.ReplayEventsRequest{Parent: endpoint, EventId: "1"},
			&susulv1.ListReplaysRequest{Parent: endpoint},
			&susulv1.CancelReplayRequest{Name: endpoint + "/replays/1"},
		}, []proto.Message{
			&susulv1.CreateResendPolicyRequest{ResendPolicyId: "nobody", ResendPolicy: policy},
			&susulv1.GetResendPolicyRequest{Name: policy.GetName()},
			&susulv1.ListResendPoliciesRequest{},
			&susulv1.UpdateResendPolicyRequest{ResendPolicy: policy},
			&susulv1.DeleteResendPolicyRequest{Name: policy.GetName()},
			&susulv1.WatchResendPoliciesRequest{},
			&susulv1.PreviewResendPolicyRequest{Push: app + "/pushes/1", Step: 1},
			&susulv1.BacktestResendPolicyRequest{Parent: app, ResendPolicy: policy},
			&susulv1.GetResendPolicyReportRequest{Name: policy.GetName() + "/report"},
			&susulv1.GetFollowUpSwitchRequest{Name: app + "/followUpSwitch"},
			&susulv1.UpdateFollowUpSwitchRequest{FollowUpSwitch: &susulv1.FollowUpSwitch{Name: app + "/followUpSwitch"}},
		}
}

func (w world) TestCredentials(t *testing.T) {
	w.unchanged(t)
	ofApp, ofPolicies := everyCall()
	methods := slices.DeleteFunc(allMethods(), protoreflect.MethodDescriptor.IsStreamingClient)
	require.Len(t, methods, len(ofApp)+len(ofPolicies), "an RPC is missing here")

	for name, authorization := range map[string]string{
		"none":             "",
		"only a scheme":    "Basic",
		"other scheme":     "Digest " + servertest.App,
		"not base64":       "Basic !!!",
		"without a colon":  "Basic " + base64.StdEncoding.EncodeToString([]byte(servertest.App)),
		"empty":            servertest.BasicAuth("", ""),
		"unknown app":      servertest.BasicAuth("nobody", servertest.Secret),
		"wrong secret":     servertest.BasicAuth(servertest.App, "wrong"),
		"empty secret":     servertest.BasicAuth(servertest.App, ""),
		"other's secret":   servertest.BasicAuth(servertest.App, servertest.OtherSecret),
		"wrong token":      "Bearer wrong",
		"empty token":      "Bearer ",
		"secret as token":  "Bearer " + servertest.Secret,
		"admin token as 1": servertest.BasicAuth("admin", servertest.AdminToken),
	} {
		t.Run(name, func(t *testing.T) {
			for _, call := range append(ofApp, ofPolicies...) {
				w.refuses(t, authorization, call, unauthenticated)
				resp, _ := w.rest(t, authorization, call)
				require.Equal(t, `Basic realm="Susul"`, resp.Header.Get("WWW-Authenticate"), "%T", call)
			}
		})
	}
	t.Run("other app", func(t *testing.T) {
		for _, call := range ofApp {
			w.refuses(t, asOther, call, forbidden)
		}
	})
	t.Run("app for policies", func(t *testing.T) {
		for _, call := range ofPolicies {
			w.refuses(t, asApp, call, forbidden)
		}
	})
	t.Run("admin sees all", func(t *testing.T) {
		for _, parent := range []string{app, other} {
			resp, outcome := w.rest(t, asAdmin, &susulv1.ListPushesRequest{Parent: parent})
			require.Equal(t, http.StatusOK, resp.Status)
			require.Zero(t, outcome)
		}
		w.refuses(t, asAdmin, &susulv1.ListPushesRequest{Parent: "apps/nobody"}, missing)
	})
	t.Run("health and reflection need none", func(t *testing.T) {
		for _, service := range []string{"", "susul.v1.PushService", "susul.v1.CallbackService", "susul.v1.ResendPolicyService", "susul.v1.RelayService"} {
			health, err := healthv1.NewHealthClient(w.Conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			require.NoError(t, err, service)
			require.Equal(t, healthv1.HealthCheckResponse_SERVING, health.GetStatus(), service)
		}
		stream, err := reflectionv1.NewServerReflectionClient(w.Conn).ServerReflectionInfo(t.Context())
		require.NoError(t, err)
		require.NoError(t, stream.Send(&reflectionv1.ServerReflectionRequest{
			MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
		}))
		resp, err := stream.Recv()
		require.NoError(t, err)
		var names []string
		for _, service := range resp.GetListServicesResponse().GetService() {
			names = append(names, service.GetName())
		}
		for _, name := range []string{"PushService", "CallbackService", "ResendPolicyService", "RelayService"} {
			require.Contains(t, names, "susul.v1."+name)
		}
		require.NoError(t, stream.CloseSend())
	})
}
