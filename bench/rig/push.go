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
	body := []byte(`{"from":"bench","request_id":"` + strconv.FormatUint(first, 10) + `","body":{"platform":"android",` +
		`"notification":{"android":{"title":"Morning news","alert":"Three things to know today."}}},` +
		`"custom_args":{"campaign":"spring-sale"},"to":{"registration_id":[`)
	for i := range recipients {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(AppendRegistrationID(append(body, '"'), first+uint64(i)), '"')
	}
	body = append(body, "]}}"...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.HTTP+"/v4/push", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(AppKey, masterSecret)
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
