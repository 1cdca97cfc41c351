package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/engagelab/sandbox"
	"susul.dev/susul/server/servertest"
)

// No callback comes through. EngageLab's statistics tell who has clicked, and whose token is dead: neither gets a follow-up, and
// everybody else gets each once, as a message of their own.
func TestFollowUpsWithoutAnyCallback(t *testing.T) {
	const people, patience = 250, time.Minute
	s := servertest.Start(t, servertest.Options{
		Clock: clock.Scaled(200), // ten minutes last three seconds
		Behaviour: sandbox.Behaviour{
			DeadShare: 0.1, DeliverWithin: time.Second, DisplayRate: 0.8, DisplayWithin: time.Second, ClickRate: 0.5, ClickWithin: time.Second,
		},
	})
	s.Sandbox.SetCallbackLoss(1)
	content := &susulv1.ResendContent{Alert: "For {{ device.registration_id }}, part {{ step }}"}
	_, err := s.Policies.CreateResendPolicy(servertest.AsAdmin(t.Context()), &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: "silent", ResendPolicy: &susulv1.ResendPolicy{
			Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(10 * time.Minute)},
			// However slow the machine is, nothing is given up.
			UnknownProgress: &susulv1.UnknownProgress{HoldFor: durationpb.New(12 * time.Hour)},
			Steps: []*susulv1.ResendStep{
				{After: durationpb.New(time.Minute), Content: content}, {After: durationpb.New(20 * time.Minute), Content: content},
			},
		},
	})
	require.NoError(t, err)
	ids := make([]string, people)
	for i := range ids {
		ids[i] = fmt.Sprintf("device-%d", i)
	}
	created, err := s.Pushes.CreatePush(servertest.AsApp(t.Context()), &susulv1.CreatePushRequest{
		Parent: "apps/" + servertest.App, Push: &susulv1.Push{
			Audience:     &susulv1.Audience{Kind: &susulv1.Audience_RegistrationIds{RegistrationIds: &susulv1.RegistrationIds{Ids: ids}}},
			Notification: &susulv1.Notification{Alert: "Hello"}, ResendPolicy: "resendPolicies/silent",
		},
	})
	require.NoError(t, err)
	var report *susulv1.PushReport
	require.Eventually(t, func() bool {
		resp, err := s.Callbacks.GetPushReport(servertest.AsApp(t.Context()), &susulv1.GetPushReportRequest{Name: created.GetPush().GetName() + "/report"})
		require.NoError(t, err)
		report = resp.GetReport()
		last := report.GetSteps()[2]
		return last.GetState() == susulv1.StepState_STEP_STATE_PLANNED && last.GetDispatches()["SENT"] > 0 && len(last.GetDispatches()) == 1
	}, patience, 50*time.Millisecond)

	sent := make([]int64, 3)
	for _, id := range ids {
		device, ok := s.Sandbox.Device(id)
		require.True(t, ok)
		require.LessOrEqual(t, len(device.Messages), 3)
		for step, message := range device.Messages {
			sent[step]++
			earlier := device.Messages[:step]
			require.True(t, step == 0 || earlier[step-1].ClickedAt.IsZero(), "%s has clicked", id)
			require.True(t, step == 0 || earlier[step-1].FailedAt.IsZero(), "the token of %s is dead", id)
			if step > 0 {
				require.Equal(t, fmt.Sprintf("For %s, part %d", id, step), message.Shown["android"].Alert)
			}
		}
		last := device.Messages[len(device.Messages)-1]
		require.True(t, len(device.Messages) == 3 || !last.ClickedAt.IsZero() || !last.FailedAt.IsZero(), "%s was left out", id)
	}
	for step, n := range sent {
		require.NotZero(t, n)
		require.Equal(t, n, report.GetSteps()[step].GetFunnel().GetTargets(), "step %d", step)
	}
	listed, err := s.Devices.ListInvalidDevices(servertest.AsApp(t.Context()), &susulv1.ListInvalidDevicesRequest{Parent: "apps/" + servertest.App})
	require.NoError(t, err)
	require.NotEmpty(t, listed.GetDevices())
	require.Equal(t, "INVALID_TARGET", listed.GetDevices()[0].GetInvalidity().GetReason())
}
