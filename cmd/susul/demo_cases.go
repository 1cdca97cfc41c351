package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab/sandbox"
)

// pollInterval is how often the demo looks at the reports, in real time.
const pollInterval = 200 * time.Millisecond

// demoCase is one push of the demo, and what is known of it.
type demoCase struct {
	title  string
	people []string
	msgID  string
	sent   time.Time // in the demo's time
	report *susulv1.PushReport
}

// sendPushes sends one push the way EngageLab's clients do, and one with the generated client.
func (d *demo) sendPushes(ctx context.Context) ([]*demoCase, error) {
	news := &demoCase{title: "morning news, sent with POST /v4/push", people: people("news", d.people)}
	promotion := &demoCase{title: "promotion, sent with gRPC CreatePush", people: people("promo", d.people)}
	var err error
	if news.msgID, err = d.sendNews(ctx, news.people); err != nil {
		return nil, fmt.Errorf("send the news: %w", err)
	}
	news.sent = d.clock.Now()
	if promotion.msgID, err = d.sendPromotion(ctx, promotion.people); err != nil {
		return nil, fmt.Errorf("send the promotion: %w", err)
	}
	promotion.sent = d.clock.Now()
	return []*demoCase{news, promotion}, nil
}

// people returns registration ids; the sandbox decides by them how each person behaves.
func people(group string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%014d", group, i)
	}
	return ids
}

func (d *demo) sendNews(ctx context.Context, to []string) (msgID string, err error) {
	body, err := json.Marshal(map[string]any{
		"from": "demo", "request_id": "news-1", "to": map[string]any{"registration_id": to},
		"body": map[string]any{
			"platform": "android",
			"notification": map[string]any{"android": map[string]any{
				"title": "Morning news", "alert": "Three things to know today.", "extras": map[string]any{"newsid": 321},
			}},
			"options": map[string]any{"time_to_live": 86_400},
		},
		"custom_args": map[string]any{"kind": "news"},
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.server.HTTPAddress()+"/v4/push", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(demoApp, demoSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", errors.Join(err, fmt.Errorf("%s: %s", resp.Status, text))
	}
	var answer struct {
		MsgID string `json:"msg_id"`
	}
	err = json.Unmarshal(text, &answer)
	return answer.MsgID, err
}

func (d *demo) sendPromotion(ctx context.Context, to []string) (msgID string, err error) {
	args, err := structpb.NewValue(map[string]any{
		"kind": "promotion", "ends": "at midnight", "coupon": "SUSUL10", "product": "The blue scarf",
		"picks": map[string]any{to[0]: "The red umbrella", to[len(to)-1]: "The green kettle"},
	})
	if err != nil {
		return "", err
	}
	resp, err := susulv1.NewPushServiceClient(d.conn).CreatePush(asAdmin(ctx), &susulv1.CreatePushRequest{
		Parent: "apps/" + demoApp,
		Push: &susulv1.Push{
			RequestId: "promotion-1",
			Audience:  &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: to}}},
			Platforms: []susulv1.Platform{susulv1.Platform_PLATFORM_ANDROID},
			Notification: &susulv1.Notification{Android: &susulv1.AndroidNotification{
				Title: "A day of discounts", Alert: "Ten per cent off everything.",
			}},
			CustomArgs: args,
		},
	})
	return resp.GetPush().GetMsgId(), err
}

// follow shows the cases until their loops have closed.
func (d *demo) follow(ctx context.Context, cases []*demoCase) error {
	view := newDemoView(d.out)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	timeout := time.After(d.limit)
	for {
		closed := true
		for _, c := range cases {
			if err := d.look(ctx, c); err != nil {
				return err
			}
			closed = closed && stepsAreSent(c.report)
		}
		closed = closed && d.sandbox.Pending() == 0
		view.show(d.clock.Now(), cases, closed)
		if closed {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("the loop did not close within %s: %d events of the sandbox are pending", d.limit, d.sandbox.Pending())
		case <-ticker.C:
		}
	}
	// Every callback is acknowledged, so that one more look sees them all.
	for _, c := range cases {
		if err := d.look(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) look(ctx context.Context, c *demoCase) error {
	resp, err := susulv1.NewCallbackServiceClient(d.conn).GetPushReport(asAdmin(ctx), &susulv1.GetPushReportRequest{
		Name: "apps/" + demoApp + "/pushes/" + c.msgID + "/report",
	})
	c.report = resp.GetReport()
	return err
}

// stepsAreSent reports whether every step is planned and EngageLab took all of it.
func stepsAreSent(report *susulv1.PushReport) bool {
	for _, step := range report.GetSteps() {
		if step.GetState() != susulv1.StepState_STEP_STATE_PLANNED {
			return false
		}
		for _, open := range []string{"BLOCKED", "PENDING", "CLAIMED", "SENDING"} {
			if step.GetDispatches()[open] > 0 {
				return false
			}
		}
	}
	return true
}

// sandboxTotals is what the sandbox's devices say about one step: the sum over its dispatches, which their cid tells.
func sandboxTotals(all map[string]sandbox.Totals, msgID string, step int32) sandbox.Totals {
	var sum sandbox.Totals
	for cid, t := range all {
		if !strings.HasPrefix(cid, fmt.Sprintf("%s-%d-", msgID, step)) {
			continue
		}
		sum.Targets += t.Targets
		sum.Sent += t.Sent
		sum.Delivered += t.Delivered
		sum.Displayed += t.Displayed
		sum.Clicked += t.Clicked
		sum.Failed += t.Failed
	}
	return sum
}
