package api

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

func TestTypedPushBecomesEngageLabsDocument(t *testing.T) {
	for name, c := range map[string]struct{ push, document string }{
		"everybody": {
			`{"audience":{"all":true},"notification":{"alert":"a"}}`,
			`{"to":"all","body":{"platform":"all","notification":{"alert":"a"}}}`,
		},
		"tags": {
			`{"audience":{"tags":{"any":["a"],"every":["b"],"none":["c"]}},"message":{"msgContent":"m","contentType":"t","extras":{"n":1.5}}}`,
			`{"to":{"tag":["a"],"tag_and":["b"],"tag_not":["c"]},"body":{"platform":"all","message":{"msg_content":"m","content_type":"t","extras":{"n":1.5}}}}`,
		},
		"one kind of tags": {
			`{"audience":{"tags":{"none":["c"]}},"notification":{"alert":"a"}}`,
			`{"to":{"tag_not":["c"]},"body":{"platform":"all","notification":{"alert":"a"}}}`,
		},
		"aliases": {
			`{"audience":{"aliases":{"names":["x"]}},"notification":{"alert":"a"}}`,
			`{"to":{"alias":["x"]},"body":{"platform":"all","notification":{"alert":"a"}}}`,
		},
		"segment": {
			`{"audience":{"segmentId":"s"},"notification":{"alert":"a"}}`,
			`{"to":{"seg":{"id":"s"}},"body":{"platform":"all","notification":{"alert":"a"}}}`,
		},
		"live activity": {
			`{"audience":{"liveActivityId":"l"},"liveActivity":{"ios":{"event":"update"}}}`,
			`{"to":{"live_activity_id":"l"},"body":{"platform":"all","live_activity":{"ios":{"event":"update"}}}}`,
		},
		"every platform": {
			`{"audience":{"all":true},"platforms":["PLATFORM_ANDROID","PLATFORM_IOS","PLATFORM_HMOS","PLATFORM_WEB"],"notification":{
				"android":{"alert":"a","builderId":0,"channelId":"c","priority":-2,"style":1,"bigText":"b","inbox":{"l1":"x"},
					"intent":{"url":"u"},"badgeAddNum":3,"displayForeground":"1","extras":{"content_available":321,"big":9007199254740991}},
				"ios":{"alert":{"title":"t"},"badge":"+1","sound":{"name":"s"},"contentAvailable":true,"mutableContent":false,
					"threadId":"th","interruptionLevel":"active","extras":{"thread_id":"mine"}},
				"hmos":{"alert":"h","category":"M","testMessage":true,"pushType":0,"extraData":"e"},
				"web":{"alert":"w","url":"u"}}}`,
			`{"to":"all","body":{"platform":["android","ios","hmos","web"],"notification":{
				"android":{"alert":"a","builder_id":0,"channel_id":"c","priority":-2,"style":1,"big_text":"b","inbox":{"l1":"x"},
					"intent":{"url":"u"},"badge_add_num":3,"display_foreground":"1","extras":{"content_available":321,"big":9007199254740991}},
				"ios":{"alert":{"title":"t"},"badge":"+1","sound":{"name":"s"},"content-available":true,"mutable-content":false,
					"thread-id":"th","interruption-level":"active","extras":{"thread_id":"mine"}},
				"hmos":{"alert":"h","category":"M","test_message":true,"push_type":0,"extra_data":"e"},
				"web":{"alert":"w","url":"u"}}}}`,
		},
		"options": {
			`{"audience":{"all":true},"notification":{"alert":"a"},"options":{"timeToLive":"60s","overrideMsgId":"9007199254740993",
				"apnsProduction":false,"bigPushDuration":5,"classification":0,"planId":"p","thirdPartyChannel":{"huawei":{"importance":"HIGH"}}}}`,
			`{"to":"all","body":{"platform":"all","notification":{"alert":"a"},"options":{"time_to_live":60,"override_msg_id":9007199254740993,
				"apns_production":false,"big_push_duration":5,"classification":0,"plan_id":"p","third_party_channel":{"huawei":{"importance":"HIGH"}}}}}`,
		},
		"no life at all": {
			`{"audience":{"all":true},"notification":{"alert":"a"},"options":{"timeToLive":"0s"}}`,
			`{"to":"all","body":{"platform":"all","notification":{"alert":"a"},"options":{"time_to_live":0}}}`,
		},
		"of the caller's own": {
			`{"requestId":"r","from":"f","customArgs":{"a":[1,null,"x"]},"callbackUrls":["https://a.example/"],"audience":{"registrationIds":{"ids":["1"]}},
				"notification":{"alert":"a"},"resendPolicy":"resendPolicies/p"}`,
			`{"request_id":"r","from":"f","custom_args":{"a":[1,null,"x"]},"callback_url":["https://a.example/"],"to":{"registration_id":["1"]},
				"body":{"platform":"all","notification":{"alert":"a"}}}`,
		},
		"set by Susul alone": {
			`{"name":"apps/x/pushes/1","msgId":"1","state":"PUSH_STATE_REJECTED","document":{"to":"all"},"audience":{"all":true},"notification":{"alert":"a"}}`,
			`{"to":"all","body":{"platform":"all","notification":{"alert":"a"}}}`,
		},
		"additional": {
			`{"audience":{"all":true},"notification":{"alert":"a","android":{"title":"t"}},
				"additional":{"future":{"n":3},"body":{"notification":{"android":{"title":null,"new-field":1}},"options":{"x":[1]}}}}`,
			`{"to":"all","future":{"n":3},"body":{"platform":"all","notification":{"alert":"a","android":{"new-field":1}},"options":{"x":[1]}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var push susulv1.Push
			require.NoError(t, protojson.Unmarshal([]byte(c.push), &push))
			document, err := documentOf(&push)
			require.NoError(t, err)
			got, err := json.Marshal(document)
			require.NoError(t, err)
			require.JSONEq(t, c.document, string(got))
			require.NoError(t, document.Validate())
		})
	}
}

func TestLargeNumbersKeepTheirDigits(t *testing.T) {
	document, err := documentOf(&susulv1.Push{Options: &susulv1.PushOptions{OverrideMsgId: math.MaxInt64}})
	require.NoError(t, err)
	got, err := json.Marshal(document)
	require.NoError(t, err)
	require.Contains(t, string(got), `"override_msg_id":9223372036854775807`)
}

func TestWhatIsNoJSONIsTheCallersFault(t *testing.T) {
	odd := structpb.NewNumberValue(math.NaN())
	oddStruct := &structpb.Struct{Fields: map[string]*structpb.Value{"n": odd}}
	empty := &structpb.Struct{Fields: map[string]*structpb.Value{"n": {}}}
	for name, push := range map[string]*susulv1.Push{
		"custom_args":    {CustomArgs: odd},
		"live activity":  {LiveActivity: oddStruct},
		"additional":     {Additional: oddStruct},
		"empty value":    {Additional: empty},
		"extras":         {Notification: &susulv1.Notification{Web: &susulv1.WebNotification{Extras: oddStruct}}},
		"message extras": {Message: &susulv1.CustomMessage{Extras: empty}},
		"options":        {Options: &susulv1.PushOptions{MultiLanguage: oddStruct}},
		"half a second":  {Options: &susulv1.PushOptions{TimeToLive: durationpb.New(time.Second / 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := documentOf(push)
			var fault *Fault
			require.ErrorAs(t, err, &fault)
			require.Len(t, fault.Violations, 1)
			require.Contains(t, fault.Violations[0].GetField(), "push")
		})
	}
}
