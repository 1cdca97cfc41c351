package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"go.einride.tech/aip/resourcename"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The patterns of resource names.
const (
	appPattern       = "apps/{app}"
	pushPattern      = "apps/{app}/pushes/{push}"
	reportPattern    = "apps/{app}/pushes/{push}/report"
	recipientPattern = "apps/{app}/pushes/{push}/recipients/{recipient}"
	devicePattern    = "apps/{app}/devices/{device}"
	switchPattern    = "apps/{app}/followUpSwitch"

	subscriptionPattern = "apps/{app}/subscriptions/{subscription}"
	endpointPattern     = "apps/{app}/relayEndpoints/{endpoint}"
	deadLetterPattern   = endpointPattern + "/deadLetters/{dead_letter}"
	replayPattern       = endpointPattern + "/replays/{replay}"

	policyPrefix        = "resendPolicies/"
	policyPattern       = policyPrefix + "{policy}"
	policyReportPattern = policyPattern + "/report"
)

func appName(app string) string            { return resourcename.Sprint(appPattern, app) }
func pushName(app string, id int64) string { return resourcename.Sprint(pushPattern, app, msgID(id)) }
func policyName(id string) string          { return resourcename.Sprint(policyPattern, id) }
func reportName(app string, id int64) string {
	return resourcename.Sprint(reportPattern, app, msgID(id))
}

func recipientName(app string, id int64, registrationID string) string {
	return resourcename.Sprint(recipientPattern, app, msgID(id), registrationID)
}

func deviceName(app, registrationID string) string {
	return resourcename.Sprint(devicePattern, app, registrationID)
}

func subscriptionName(app, id string) string {
	return resourcename.Sprint(subscriptionPattern, app, id)
}
func endpointName(app, id string) string { return resourcename.Sprint(endpointPattern, app, id) }

// subscriptionEndpoint returns the id of a subscription's relay endpoint.
func subscriptionEndpoint(id string) string { return "sub-" + id }

func msgID(id int64) string { return strconv.FormatInt(id, 10) }

// parseApp reads a name whose form the request's rules have checked.
func parseApp(name string) (app string, err error) {
	if err := resourcename.Sscan(name, appPattern, &app); err != nil {
		return "", invalid("parent", "must look like "+appPattern)
	}
	return app, nil
}

// parsePush reads the name of a push, or of something that belongs to one, whose own id goes to rest.
func parsePush(name, pattern string, rest ...*string) (app string, id int64, err error) {
	var text string
	if err := resourcename.Sscan(name, pattern, append([]*string{&app, &text}, rest...)...); err != nil {
		return "", 0, invalid("name", "must look like "+pattern)
	}
	id, err = strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", 0, invalid("name", "must hold a msg_id, a positive 64-bit integer")
	}
	return app, id, nil
}

func parsePolicy(field, name string) (id string, err error) {
	if err := resourcename.Sscan(name, policyPattern, &id); err != nil {
		return "", invalid(field, "must look like "+policyPattern)
	}
	return id, nil
}

// parseOptionalMsgID reads a filter; empty is 0.
func parseOptionalMsgID(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, invalid("msg_id", "must be a positive 64-bit integer")
	}
	return id, nil
}

// parseOptionalTime reads a filter; an absent one is the zero time.
func parseOptionalTime(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, invalid(field, "must lie in the years 1 to 9999")
	}
	return t.AsTime(), nil
}

// pageToken says where a list goes on. It is opaque to callers; of says which list it belongs to, so that a token of
// another list, or of the same with other filters, is refused.
type pageToken struct {
	Of    string `json:"of"`
	After string `json:"after"`
}

func (t pageToken) encode() string {
	t.Of = digest(t.Of)
	data, _ := json.Marshal(t) // two strings
	return base64.RawURLEncoding.EncodeToString(data)
}

// digest keeps a token short, however long a list's filters are.
func digest(list string) string {
	sum := sha256.Sum256([]byte(list))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// decodePageToken returns where to go on; empty for the first page.
func decodePageToken(field, token, of string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	var t pageToken
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil || t.Of != digest(of) || strings.Contains(t.After, "\x00") {
		return "", invalid(field, "was not made for this list: begin anew without it")
	}
	return t.After, nil
}

// decodeNumberToken is decodePageToken for lists that go on after a number.
func decodeNumberToken(field, token, of string) (int64, error) {
	after, err := decodePageToken(field, token, of)
	if err != nil || after == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return 0, invalid(field, "was not made for this list: begin anew without it")
	}
	return n, nil
}

// pageSize applies a default to a page size that the request's rules have bounded.
func pageSize(asked int32, otherwise int) int {
	if asked == 0 {
		return otherwise
	}
	return int(asked)
}
