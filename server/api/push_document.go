package api

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	jsonpatch "github.com/evanphx/json-patch/v5"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

// members is a JSON object under construction.
type members map[string]any

func (m members) setText(name, value string) {
	if value != "" {
		m[name] = value
	}
}

// documentOf turns the typed push into EngageLab's push object.
func documentOf(push *susulv1.Push) (engagelab.Document, error) {
	body, err := bodyOf(push)
	if err != nil {
		return engagelab.Document{}, err
	}
	document := members{"to": audienceOf(push.GetAudience()), "body": body}
	document.setText("from", push.GetFrom())
	document.setText("request_id", push.GetRequestId())
	if push.GetCustomArgs() != nil {
		if document["custom_args"], err = jsonOf("push.custom_args", push.GetCustomArgs()); err != nil {
			return engagelab.Document{}, err
		}
	}
	if len(push.GetCallbackUrls()) > 0 {
		document["callback_url"] = push.GetCallbackUrls()
	}
	data, err := json.Marshal(document)
	if err != nil {
		return engagelab.Document{}, invalid("push", "can't be written as JSON: "+err.Error())
	}
	if push.GetAdditional() != nil {
		if data, err = overlay(data, push); err != nil {
			return engagelab.Document{}, err
		}
	}
	parsed, err := engagelab.ParseDocument(data)
	if err != nil {
		return engagelab.Document{}, fmt.Errorf("read back a push: %w", err)
	}
	return parsed, nil
}

func overlay(data []byte, push *susulv1.Push) ([]byte, error) {
	patch, err := jsonOf("push.additional", push.GetAdditional())
	if err != nil {
		return nil, err
	}
	merged, err := jsonpatch.MergePatch(data, patch)
	if err != nil {
		return nil, invalid("push.additional", "can't be laid over the push: "+err.Error())
	}
	return merged, nil
}

func audienceOf(audience *susulv1.Audience) any {
	to := members{}
	switch kind := audience.GetKind().(type) {
	case *susulv1.Audience_All:
		return "all"
	case *susulv1.Audience_RegistrationIds:
		to["registration_id"] = kind.RegistrationIds.GetIds()
	case *susulv1.Audience_Tags:
		for name, tags := range map[string][]string{
			"tag": kind.Tags.GetAny(), "tag_and": kind.Tags.GetEvery(), "tag_not": kind.Tags.GetNone(),
		} {
			if len(tags) > 0 {
				to[name] = tags
			}
		}
	case *susulv1.Audience_Aliases:
		to["alias"] = kind.Aliases.GetNames()
	case *susulv1.Audience_SegmentId:
		to["seg"] = members{"id": kind.SegmentId}
	case *susulv1.Audience_LiveActivityId:
		to["live_activity_id"] = kind.LiveActivityId
	}
	return to
}

func bodyOf(push *susulv1.Push) (members, error) {
	body := members{"platform": platformsOf(push.GetPlatforms())}
	if push.GetNotification() != nil {
		notification, err := jsonMembers(push.GetNotification())
		if err != nil {
			return nil, err
		}
		if ios, ok := notification["ios"].(map[string]any); ok {
			hyphenate(ios, "content_available", "mutable_content", "thread_id", "interruption_level")
		}
		body["notification"] = notification
	}
	if push.GetMessage() != nil {
		message, err := jsonMembers(push.GetMessage())
		if err != nil {
			return nil, err
		}
		body["message"] = message
	}
	if push.GetLiveActivity() != nil {
		activity, err := jsonOf("push.live_activity", push.GetLiveActivity())
		if err != nil {
			return nil, err
		}
		body["live_activity"] = activity
	}
	if push.GetOptions() != nil {
		options, err := optionsOf(push.GetOptions())
		if err != nil {
			return nil, err
		}
		body["options"] = options
	}
	return body, nil
}

func platformsOf(platforms []susulv1.Platform) any {
	if len(platforms) == 0 {
		return "all"
	}
	names := make([]string, len(platforms))
	for i, platform := range platforms {
		names[i] = strings.ToLower(strings.TrimPrefix(platform.String(), "PLATFORM_"))
	}
	return names
}

// optionsOf writes as numbers what the proto's JSON would write as strings.
func optionsOf(options *susulv1.PushOptions) (members, error) {
	m, err := jsonMembers(options)
	if err != nil {
		return nil, err
	}
	if life := options.GetTimeToLive(); life != nil {
		if life.GetNanos() != 0 {
			return nil, invalid("push.options.time_to_live", "must be whole seconds")
		}
		m["time_to_live"] = life.GetSeconds()
	}
	if options.GetOverrideMsgId() != 0 {
		m["override_msg_id"] = options.GetOverrideMsgId()
	}
	return m, nil
}

// jsonMembers writes a message with the names of its proto fields, which are EngageLab's.
func jsonMembers(message proto.Message) (members, error) {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return nil, invalid("push", "can't be written as JSON: "+err.Error())
	}
	var m members
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read back a message: %w", err)
	}
	return m, nil
}

// jsonOf writes a value that the caller gave as JSON. NaN and infinity are none.
func jsonOf(field string, value proto.Message) (json.RawMessage, error) {
	data, err := protojson.Marshal(value)
	if err != nil {
		return nil, invalid(field, "can't be written as JSON")
	}
	return data, nil
}

// hyphenate renames the members that EngageLab spells with hyphens.
func hyphenate(m map[string]any, names ...string) {
	for _, name := range names {
		if value, ok := m[name]; ok {
			delete(m, name)
			m[strings.ReplaceAll(name, "_", "-")] = value
		}
	}
}
