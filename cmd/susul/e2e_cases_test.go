package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab/sandbox"
)

const (
	// caseSpeed makes the cases' 13 hours last 13 seconds.
	caseSpeed = 3600

	// storing is how long Susul has, in its own time, to make a click durable that it has received: a second of real time.
	storing = caseSpeed * time.Second

	casePeople = 2000
	casePicks  = 100
)

// seedCase is a push and what its policy promises.
type seedCase struct {
	msgID     string
	people    []string
	titles    []string        // by step
	after     []time.Duration // from the first sending to each follow-up
	lastAlert func(registrationID string) string
}

// Both cases, end to end: policies by the documented commands, one push through EngageLab's REST and one through gRPC,
// and a sandbox whose people receive, display and click.
func TestBothCasesCloseTheLoop(t *testing.T) {
	labAddress := freeAddress(t)
	speed := fmt.Sprint(caseSpeed)
	n := serve(t, "--config", writeSettings(t, baseSettings(t.TempDir(), "http://"+labAddress)), "--clock.speed", speed)
	lab := startSandbox(t, "--listen", labAddress, "--speed", speed, "--callback", "http://"+n.http+"/v1/apps/"+testApp+"/callbacks",
		"--callback-username", testCallbackUser, "--callback-secret", testCallbackSecret)
	n.awaitReady(t)
	for _, name := range []string{"morning-news", "promotion"} {
		script := exec.Command("sh", filepath.Join("..", "..", "examples", "policies", name+".sh"))
		script.Env = append(script.Environ(), "ADDRESS="+n.grpc, "TOKEN="+testToken)
		out, err := script.CombinedOutput()
		require.NoError(t, err, "%s", out)
		// Whatever the time, nobody sleeps here.
		_, err = n.policies.UpdateResendPolicy(t.Context(), &susulv1.UpdateResendPolicyRequest{
			ResendPolicy: &susulv1.ResendPolicy{Name: "resendPolicies/" + name},
			UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"limits"}},
		})
		require.NoError(t, err)
	}
	cases := []seedCase{newsCase(t, n), promotionCase(t, n)}

	for _, c := range cases {
		n.awaitSent(t, c.msgID)
	}
	// The devices get the time to be done with the last step.
	<-clock.Scaled(caseSpeed).After(2 * time.Hour)
	for _, c := range cases {
		devices, report := c.awaitAgreement(t, n, lab)
		due := c.requireTiming(t, n, report)
		c.requireMessages(t, devices, dueAfterClick(n.events(t, c.msgID), due))
		before, after := report.GetSteps()[0].GetFunnel().GetClickRate(), report.GetTotal().GetClickRate()
		require.Greater(t, after, before)
		t.Logf("click rate %.1f %% → %.1f %%", 100*before, 100*after)
	}
	lab.terminate(t, patience)
	n.terminate(t, patience)
}

func newsCase(t *testing.T, n *node) seedCase {
	t.Helper()
	c := seedCase{
		people:    people("news", casePeople),
		titles:    []string{"Morning news", "Still unread: Morning news", "Morning news, in two minutes"},
		after:     []time.Duration{3 * time.Hour, 5 * time.Hour},
		lastAlert: func(string) string { return "Three things to know today. The short version is waiting for you." },
	}
	c.msgID = n.sendNews(t, "news-1", c.people)
	return c
}

// promotionCase sends its push with grpcurl, and has a product of their own for some.
func promotionCase(t *testing.T, n *node) seedCase {
	t.Helper()
	c := seedCase{
		people: people("promo", casePeople),
		titles: []string{"A day of discounts", "Only a few hours left", "SUSUL10: your coupon"},
		after:  []time.Duration{8 * time.Hour, 11 * time.Hour},
	}
	picks := map[string]string{}
	for i, id := range c.people[:casePicks] {
		picks[id] = fmt.Sprintf("Umbrella %d", i%10)
	}
	c.lastAlert = func(id string) string {
		product, ok := picks[id]
		if !ok {
			product = "The blue scarf"
		}
		return product + " is yours for less. Code SUSUL10."
	}
	request, err := json.Marshal(map[string]any{"parent": "apps/" + testApp, "push": map[string]any{
		"request_id":   "promotion-1",
		"audience":     map[string]any{"registration_ids": map[string]any{"ids": c.people}},
		"platforms":    []string{"PLATFORM_ANDROID"},
		"notification": map[string]any{"android": map[string]any{"title": c.titles[0], "alert": "Ten per cent off everything."}},
		"custom_args": map[string]any{
			"kind": "promotion", "ends": "at midnight", "coupon": "SUSUL10", "product": "The blue scarf", "picks": picks,
		},
	}})
	require.NoError(t, err)
	grpcurl := exec.Command("grpcurl", "-plaintext", "-H", "Authorization: Bearer "+testToken, "-d", "@",
		n.grpc, "susul.v1.PushService/CreatePush")
	grpcurl.Stdin = bytes.NewReader(request)
	out, err := grpcurl.Output()
	require.NoError(t, err, "%s", out)
	var created susulv1.CreatePushResponse
	require.NoError(t, protojson.Unmarshal(out, &created))
	c.msgID = created.GetPush().GetMsgId()
	return c
}

// countByStep is what the devices themselves say about each step.
func countByStep(t *testing.T, devices []sandbox.Device, msgID string) []sandbox.Totals {
	t.Helper()
	counts := make([]sandbox.Totals, 3)
	for _, d := range devices {
		for step, m := range messages(t, d, msgID) {
			c := &counts[step]
			c.Targets++
			for at, n := range map[time.Time]*int{
				m.SentAt: &c.Sent, m.DeliveredAt: &c.Delivered, m.DisplayedAt: &c.Displayed, m.ClickedAt: &c.Clicked, m.FailedAt: &c.Failed,
			} {
				if !at.IsZero() {
					*n++
				}
			}
		}
	}
	return counts
}

// awaitAgreement waits until all callbacks have arrived, so that the report says what the devices say.
func (c seedCase) awaitAgreement(t *testing.T, n *node, lab *engageLab) (devices []sandbox.Device, report *susulv1.PushReport) {
	t.Helper()
	eventually(t, "the report says what the devices say", func() bool {
		devices, report = lab.devices(t, c.people), n.report(t, c.msgID)
		var reported []sandbox.Totals
		for _, step := range report.GetSteps() {
			reported = append(reported, funnelTotals(step.GetFunnel()))
		}
		return slices.Equal(countByStep(t, devices, c.msgID), reported)
	})
	return devices, report
}

// requireTiming requires that the steps were due when the policy says, counted from the first sending, and that
// everybody is accounted for. It returns the due times.
func (c seedCase) requireTiming(t *testing.T, n *node, report *susulv1.PushReport) (due []time.Time) {
	t.Helper()
	sent := n.push(t, c.msgID).GetFirstSentTime().AsTime()
	due = []time.Time{sent}
	require.Len(t, report.GetSteps(), len(c.after)+1)
	for i, step := range report.GetSteps()[1:] {
		due = append(due, sent.Add(c.after[i]))
		require.Equal(t, due[i+1], step.GetDueTime().AsTime())
		require.EqualValues(t, casePeople, step.GetFunnel().GetTargets()+sum(step.GetPassedOver()))
	}
	return due
}

// dueAfterClick tells, by device, the first step that was not due yet when Susul had its click.
func dueAfterClick(events []*susulv1.Event, due []time.Time) map[string]int {
	steps := map[string]int{}
	for _, event := range events {
		id := event.GetCallback().GetRegistrationId()
		if _, known := steps[id]; known || event.GetMilestone() != susulv1.Milestone_MILESTONE_CLICKED {
			continue
		}
		stored := event.GetReceiveTime().AsTime().Add(storing)
		steps[id] = len(due)
		for step := len(due) - 1; step > 0 && stored.Before(due[step]); step-- {
			steps[id] = step
		}
	}
	return steps
}

// requireMessages looks at every device. Who had not clicked got each step once, with its title; who had clicked before
// a step was due got no more, and neither did those whose token is dead. In between, the click may have been on its way.
func (c seedCase) requireMessages(t *testing.T, devices []sandbox.Device, dueAfterClick map[string]int) {
	t.Helper()
	spared := 0
	for _, d := range devices {
		byStep := messages(t, d, c.msgID)
		require.Contains(t, byStep, 0)
		clicked, dead := false, !byStep[0].FailedAt.IsZero()
		for step, title := range c.titles {
			m, got := byStep[step]
			if first, knew := dueAfterClick[d.RegistrationID]; knew && step >= first {
				require.False(t, got, "device %s clicked and got step %d", d.RegistrationID, step)
				spared++
			}
			if got {
				require.Equal(t, title, m.Shown["android"].Title)
				require.False(t, dead && step > 0, "device %s is dead and got step %d", d.RegistrationID, step)
			} else {
				require.True(t, clicked || dead, "device %s did not click and lacks step %d", d.RegistrationID, step)
			}
			clicked = clicked || !m.ClickedAt.IsZero()
		}
		if m, got := byStep[2]; got {
			require.Equal(t, c.lastAlert(d.RegistrationID), m.Shown["android"].Alert)
		}
	}
	require.Positive(t, spared, "somebody clicked early enough")
}
