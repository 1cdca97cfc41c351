package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
)

// Push sends a push in EngageLab's own words.
func (s *Susul) Push(ctx context.Context, first uint64, recipients int) (msgID string, err error) {
	body := AppendPush(nil, strconv.FormatUint(first, 10), first, recipients)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.HTTP+"/v4/push", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", Authorization)
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return "", err
	}
	var pushed engagelab.PushResponse
	if err := json.Unmarshal(text, &pushed); err != nil || got.StatusCode != http.StatusOK {
		return "", fmt.Errorf("push: %s: %s", got.Status, text)
	}
	return pushed.MsgID, nil
}

// AppendPush appends the document of a push to devices whose numbers follow each other.
func AppendPush(buf []byte, requestID string, first uint64, devices int) []byte {
	buf = append(append(buf, `{"from":"bench","request_id":"`...), requestID...)
	buf = append(buf, `","body":{"platform":"android",`+
		`"notification":{"android":{"title":"Morning news","alert":"Three things to know today."}}},`+
		`"custom_args":{"campaign":"spring-sale"},"to":{"registration_id":[`...)
	for i := range devices {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(AppendRegistrationID(append(buf, '"'), first+uint64(i)), '"')
	}
	return append(buf, "]}}"...)
}

// Sent reports whether every dispatch of a push has gone out.
func (s *Susul) Sent(ctx context.Context, msgID string, dispatches int) (bool, error) {
	report, err := s.Report(ctx, msgID)
	if err != nil {
		return false, err
	}
	return report.GetSteps()[0].GetDispatches()["SENT"] == int64(dispatches), nil
}

// Report returns a push's report.
func (s *Susul) Report(ctx context.Context, msgID string) (*susulv1.PushReport, error) {
	got, err := s.Callbacks.GetPushReport(ctx, &susulv1.GetPushReportRequest{
		Name: "apps/" + AppKey + "/pushes/" + msgID + "/report",
	})
	return got.GetReport(), err
}
