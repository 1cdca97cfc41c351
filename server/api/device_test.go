package api_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/servertest"
)

// alike makes a call that succeeds over both faces, checks that they answer alike, and returns the answer.
func (f faces) alike(t testing.TB, authorization string, req proto.Message) proto.Message {
	t.Helper()
	overGRPC, outcome := f.grpc(t, authorization, req)
	require.Zero(t, outcome)
	resp, outcome := f.rest(t, authorization, req)
	require.Zero(t, outcome, resp.Body)
	overREST := overGRPC.ProtoReflect().New()
	target := overREST.Interface()
	if field := responseBody(methodOf(t, req)); field != "" {
		target = overREST.Mutable(overREST.Descriptor().Fields().ByName(protoreflect.Name(field))).Message().Interface()
	}
	require.NoError(t, protojson.Unmarshal([]byte(resp.Body), target), resp.Body)
	require.True(t, proto.Equal(overGRPC, overREST.Interface()), "gRPC: %v\nREST: %s", overGRPC, resp.Body)
	return overGRPC
}

// device returns a device that is fine.
func device(t testing.TB, id string) *susulv1.Device {
	t.Helper()
	return &susulv1.Device{
		RegistrationId: id, TimeZone: "Asia/Jakarta", Locale: "id-ID",
		Attributes: structOf(t, map[string]any{"first_name": "Ayu", "n": 3, "deep": map[string]any{"list": []any{true, nil}}}),
	}
}

func (w world) TestDevices(t *testing.T) {
	ctx := servertest.As(t.Context(), asApp)
	one, two := device(t, "device-1"), device(t, "device-2")
	one.Name = app + "/devices/device-1"
	two.TimeZone, two.Locale, two.Attributes = "", "", nil
	w.alike(t, asApp, &susulv1.SetDevicesRequest{Parent: app, Devices: []*susulv1.Device{one, two}})
	get := &susulv1.GetDeviceRequest{Name: app + "/devices/device-1"}
	resp, _ := w.alike(t, asApp, get).(*susulv1.GetDeviceResponse)
	require.NotNil(t, resp.GetDevice().GetUpdateTime())
	resp.Device.UpdateTime = nil
	require.True(t, proto.Equal(one, resp.GetDevice()), "%v", resp)

	one.Attributes = structOf(t, map[string]any{"other": 1})
	_, err := w.Devices.SetDevices(ctx, &susulv1.SetDevicesRequest{Parent: app, Devices: []*susulv1.Device{one}})
	require.NoError(t, err)
	resp, _ = w.alike(t, asAdmin, get).(*susulv1.GetDeviceResponse)
	require.True(t, proto.Equal(one.GetAttributes(), resp.GetDevice().GetAttributes()), "it replaces what was set before")
	w.refuses(t, asOther, &susulv1.GetDeviceRequest{Name: other + "/devices/device-1"}, missing)

	_, outcome := w.rest(t, asApp, &susulv1.DeleteDeviceRequest{Name: get.GetName()})
	require.Zero(t, outcome)
	w.refuses(t, asApp, get, missing)
	w.refuses(t, asApp, &susulv1.DeleteDeviceRequest{Name: get.GetName()}, missing)
	_, outcome = w.grpc(t, asApp, &susulv1.DeleteDeviceRequest{Name: app + "/devices/device-2"})
	require.Zero(t, outcome)
}

func (w world) TestInvalidDevicesInRequests(t *testing.T) {
	big := structOf(t, map[string]any{"text": strings.Repeat("x", 8<<10)})
	for name, c := range map[string]struct {
		devices []*susulv1.Device
		fields  []string
	}{
		"none":           {nil, []string{"devices"}},
		"no id":          {[]*susulv1.Device{{}}, []string{"devices[0].registration_id"}},
		"many bytes":     {[]*susulv1.Device{{RegistrationId: strings.Repeat("é", 100)}}, []string{"devices[0].registration_id"}},
		"another's name": {[]*susulv1.Device{{RegistrationId: "a", Name: app + "/devices/b"}}, []string{"devices[0].name"}},
		"a path as id":   {[]*susulv1.Device{{RegistrationId: "a/b"}}, []string{"devices[0].registration_id"}},
		"zero in an id":  {[]*susulv1.Device{{RegistrationId: "a\x00"}}, []string{"devices[0].registration_id"}},
		"zero in zone and locale": {
			[]*susulv1.Device{{RegistrationId: "a", TimeZone: "Asia/Jakarta\x00", Locale: "id\x00"}},
			[]string{"devices[0].time_zone", "devices[0].locale"},
		},
		"another app":              {[]*susulv1.Device{{RegistrationId: "a", Name: other + "/devices/a"}}, []string{"devices[0].name"}},
		"large attributes":         {[]*susulv1.Device{{RegistrationId: "a", Attributes: big}}, []string{"devices[0].attributes"}},
		"a zone that is none":      {[]*susulv1.Device{{RegistrationId: "a", TimeZone: "Jakarta"}}, []string{"devices[0].time_zone"}},
		"the machine's zone":       {[]*susulv1.Device{{RegistrationId: "a", TimeZone: "Local"}}, []string{"devices[0].time_zone"}},
		"a path":                   {[]*susulv1.Device{{RegistrationId: "a", TimeZone: "../etc/passwd"}}, []string{"devices[0].time_zone"}},
		"a locale that is none":    {[]*susulv1.Device{{RegistrationId: "a", Locale: "Indonesian"}}, []string{"devices[0].locale"}},
		"a locale of another kind": {[]*susulv1.Device{{RegistrationId: "a", Locale: "id_ID"}}, []string{"devices[0].locale"}},
		"twice": {
			[]*susulv1.Device{{RegistrationId: "a"}, {RegistrationId: "b"}, {RegistrationId: "a"}}, []string{"devices[2].registration_id"},
		},
		"all at once": {
			[]*susulv1.Device{
				{RegistrationId: "a"},
				{RegistrationId: "a", Name: "x", TimeZone: text(65), Locale: "?", Attributes: big},
				{RegistrationId: text(129), TimeZone: "Nowhere"},
			},
			[]string{
				"devices[1].registration_id", "devices[1].name", "devices[1].time_zone", "devices[1].locale", "devices[1].attributes",
				"devices[2].registration_id", "devices[2].time_zone",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.refuses(t, asApp, &susulv1.SetDevicesRequest{Parent: app, Devices: c.devices}, invalid(c.fields...))
			_, err := w.importDevices(t, asApp, &susulv1.ImportDevicesRequest{Parent: app, Devices: c.devices})
			require.ElementsMatch(t, c.fields, outcomeOf(status.Convert(err)).Fields)
		})
	}
	_, outcome := w.grpc(t, asApp, &susulv1.SetDevicesRequest{Parent: app, Devices: []*susulv1.Device{
		{RegistrationId: "a", Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewNumberValue(math.NaN())}}},
	}})
	require.Equal(t, []string{"devices[0].attributes"}, outcome.Fields)
	many := make([]*susulv1.Device, 10_001)
	for i := range many {
		many[i] = &susulv1.Device{RegistrationId: fmt.Sprint("many-", i)}
	}
	w.refuses(t, asApp, &susulv1.SetDevicesRequest{Parent: app, Devices: many}, invalid("devices"))
	w.refuses(t, asApp, &susulv1.GetDeviceRequest{Name: app + "/devices/many-1"}, missing)
	resp := w.Do(t, http.MethodPost, "/v1/"+app+"/devices:set", []byte(`{"devices":[{"registration_id":"`+text(32<<20)+`"}]}`), "Authorization", asApp)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.Status, resp.Body)
	require.Contains(t, resp.Body, `"reason":"TOO_LARGE"`)
}

func (w world) importDevices(t testing.TB, authorization string, messages ...*susulv1.ImportDevicesRequest) (*susulv1.ImportDevicesResponse, error) {
	t.Helper()
	stream, err := w.Devices.ImportDevices(servertest.As(t.Context(), authorization))
	require.NoError(t, err)
	for _, message := range messages {
		if err := stream.Send(message); err != nil {
			require.ErrorIs(t, err, io.EOF) // CloseAndRecv says why
			break
		}
	}
	return stream.CloseAndRecv()
}

func (w world) TestImportDevices(t *testing.T) {
	var messages []*susulv1.ImportDevicesRequest
	for i := range 3 {
		message := &susulv1.ImportDevicesRequest{Parent: app}
		for j := range 5000 {
			message.Devices = append(message.Devices, &susulv1.Device{RegistrationId: fmt.Sprintf("import-%d-%d", i, j), Locale: "id"})
		}
		messages = append(messages, message)
	}
	resp, err := w.importDevices(t, asApp, messages...)
	require.NoError(t, err)
	require.EqualValues(t, 15_000, resp.GetDeviceCount())
	w.alike(t, asApp, &susulv1.GetDeviceRequest{Name: app + "/devices/import-2-4999"})
	resp, err = w.importDevices(t, asApp)
	require.NoError(t, err)
	require.Zero(t, resp.GetDeviceCount())

	single := func(parent, id string) *susulv1.ImportDevicesRequest {
		return &susulv1.ImportDevicesRequest{Parent: parent, Devices: []*susulv1.Device{{RegistrationId: id}}}
	}
	for name, c := range map[string]struct {
		authorization string
		second        *susulv1.ImportDevicesRequest
		code          codes.Code
		fields        []string
	}{
		"another parent": {asAdmin, single(other, "broken-off"), codes.InvalidArgument, []string{"parent"}},
		"a bad message":  {asApp, single(app, text(129)), codes.InvalidArgument, []string{"devices[0].registration_id"}},
		"no message":     {asApp, &susulv1.ImportDevicesRequest{Parent: app}, codes.InvalidArgument, []string{"devices"}},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			_, err := w.importDevices(t, c.authorization, single(app, id), c.second)
			outcome := outcomeOf(status.Convert(err))
			require.Equal(t, c.code, outcome.Code)
			require.Equal(t, c.fields, outcome.Fields)
			w.alike(t, asApp, &susulv1.GetDeviceRequest{Name: app + "/devices/" + id}) // what came before stays
		})
	}
	for authorization, want := range map[string]codes.Code{"": codes.Unauthenticated, asOther: codes.PermissionDenied} {
		_, err := w.importDevices(t, authorization, single(app, "nobody"))
		require.Equal(t, want, status.Code(err))
	}
	w.refuses(t, asApp, &susulv1.GetDeviceRequest{Name: app + "/devices/nobody"}, missing)
}

func (w world) TestListInvalidDevices(t *testing.T) {
	var ids []string
	for i := range 5 {
		ids = append(ids, fmt.Sprintf("dead-%d", i))
	}
	push := w.create(t, other, pushTo("to the dead", ids...))
	upstream := w.upstreamID(t, "to the dead")
	w.awaitSent(t, push.GetName())
	w.report(t, other, upstream, "target_invalid", ids...)
	_, err := w.Devices.SetDevices(servertest.AsAdmin(t.Context()), &susulv1.SetDevicesRequest{Parent: other, Devices: []*susulv1.Device{device(t, "dead-3")}})
	require.NoError(t, err)

	list := func(size int32, token string) *susulv1.ListInvalidDevicesResponse {
		resp, _ := w.alike(t, asOther, &susulv1.ListInvalidDevicesRequest{Parent: other, PageSize: size, PageToken: token}).(*susulv1.ListInvalidDevicesResponse)
		return resp
	}
	var found []*susulv1.Device
	token := ""
	for range 3 {
		page := list(2, token)
		found, token = append(found, page.GetDevices()...), page.GetNextPageToken()
	}
	require.Empty(t, token)
	require.Len(t, found, len(ids))
	for i, d := range found {
		require.Equal(t, ids[i], d.GetRegistrationId())
		require.Equal(t, other+"/devices/"+ids[i], d.GetName())
		require.NotEmpty(t, d.GetInvalidity().GetReason())
		require.Equal(t, "target_invalid", d.GetInvalidity().GetStatus())
		require.NotNil(t, d.GetInvalidity().GetInvalidTime())
		require.Nil(t, d.GetInvalidity().GetDeleteTime())
		require.Equal(t, i == 3, d.GetAttributes() != nil)
	}
	w.refuses(t, asOther, &susulv1.ListInvalidDevicesRequest{Parent: other, PageToken: "x"}, invalid("page_token"))
	w.refuses(t, asAdmin, &susulv1.ListInvalidDevicesRequest{Parent: app, PageToken: list(2, "").GetNextPageToken()}, invalid("page_token"))

	revive := &susulv1.ReviveDevicesRequest{Parent: other, RegistrationIds: []string{"dead-1", "dead-4", "dead-1", "never heard of"}}
	resp, err := w.Devices.ReviveDevices(servertest.As(context.Background(), asOther), revive)
	require.NoError(t, err)
	require.EqualValues(t, 2, resp.GetRevivedCount())
	overREST, _ := w.alike(t, asOther, revive).(*susulv1.ReviveDevicesResponse)
	require.Zero(t, overREST.GetRevivedCount())
	require.Len(t, list(0, "").GetDevices(), 3)
}
