package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/replica/etcdtest"
)

// leaseTTL is how long a leader that vanished is waited for.
const leaseTTL = 5 * time.Second

// Every node answers every call, whichever leads.
func TestStandbyAnswersByTheLeader(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	lab := startSandbox(t, obedient()...)
	for name, elected := range map[string][]string{"etcd": {"--etcd.endpoints", etcd.Address()}, "embedded etcd": nil} {
		config := writeSettings(t, baseSettings(t.TempDir(), lab.url))
		leader := serve(t, append([]string{"--config", config}, elected...)...)
		leader.awaitReady(t)
		standby := serve(t, append([]string{"--config", config}, elected...)...)
		standby.awaitStandby(t, leader)

		to := people("standby "+name, 2)
		msgID := standby.sendNews(t, name, to)
		postAll(t, standby, clickRows(t, lab, to[:1]))
		require.EqualValues(t, 1, standby.report(t, msgID).GetTotal().GetClicked())
		require.True(t, proto.Equal(leader.push(t, msgID), standby.push(t, msgID)))
		got, err := standby.try(http.MethodGet, "/v1/apps/"+testApp+"/pushes/"+msgID, nil, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
		requirePolicy(t, leader, createFollowUp(t, standby, time.Hour))

		_, err = standby.pushes.GetPush(t.Context(), &susulv1.GetPushRequest{Name: pushName("1")})
		_, want := leader.pushes.GetPush(t.Context(), &susulv1.GetPushRequest{Name: pushName("1")})
		require.Equal(t, codes.NotFound, status.Code(err))
		require.True(t, proto.Equal(status.Convert(want).Proto(), status.Convert(err).Proto()), "want %v\ngot  %v", want, err)
		standby.terminate(t, patience)
		leader.terminate(t, patience)
	}
}

func TestSuccessorCarriesOnAfterACrashAndAfterAStop(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	lab := startSandbox(t, obedient()...)
	config := writeSettings(t, baseSettings(t.TempDir(), lab.url))
	candidate := func() *node { return serve(t, "--config", config, "--etcd.endpoints", etcd.Address()) }
	first := candidate()
	first.awaitReady(t)
	second := candidate()
	second.awaitStandby(t, first)

	policy := createFollowUp(t, first, 4*time.Second)
	to := people("takeover", 100)
	clicked, others := to[:10], to[10:]
	msgID := first.sendNews(t, "takeover", to)
	postAll(t, first, clickRows(t, lab, clicked))
	want := first.push(t, msgID)
	require.Equal(t, susulv1.StepState_STEP_STATE_SCHEDULED, first.report(t, msgID).GetSteps()[1].GetState())

	first.crash()
	t.Logf("took over from a crashed leader after %s", second.awaitReady(t))
	// The takeover may take until the follow-up is due.
	require.True(t, proto.Equal(timeless(want), timeless(second.push(t, msgID))))
	require.EqualValues(t, len(clicked), second.report(t, msgID).GetTotal().GetClicked())
	requirePolicy(t, second, policy)
	report := second.awaitSent(t, msgID)
	require.EqualValues(t, len(others), report.GetSteps()[1].GetFunnel().GetTargets())

	third := candidate()
	third.awaitStandby(t, second)
	second.terminate(t, patience)
	took := third.awaitReady(t)
	t.Logf("took over from a stopped leader after %s", took)
	require.Less(t, took, leaseTTL, "a leader that stops resigns")
	require.True(t, proto.Equal(report, third.report(t, msgID)))
	requirePolicy(t, third, policy)
	requireFollowedUpOnce(t, lab, msgID, clicked, others)
	third.terminate(t, patience)
}

func TestStandbyOfAnEmbeddedEtcdWaitsForTheDataDirectory(t *testing.T) {
	t.Parallel()
	lab := startSandbox(t, obedient()...)
	config := writeSettings(t, baseSettings(t.TempDir(), lab.url))
	first := serve(t, "--config", config)
	first.awaitReady(t)
	second := serve(t, "--config", config)
	second.awaitStandby(t, first)

	policy := createFollowUp(t, first, 4*time.Second)
	to := people("embedded", 100)
	clicked, others := to[:10], to[10:]
	msgID := first.sendNews(t, "embedded", to)
	postAll(t, first, clickRows(t, lab, clicked))
	first.terminate(t, patience)
	t.Logf("took over from a stopped leader after %s", second.awaitReady(t))
	requirePolicy(t, second, policy)

	third := serve(t, "--config", config)
	third.awaitStandby(t, second)
	second.crash()
	took := third.awaitReady(t)
	t.Logf("took over from a crashed leader after %s", took)
	require.Less(t, took, leaseTTL, "who has the data directory need not wait for a lease")
	requirePolicy(t, third, policy)
	require.EqualValues(t, len(clicked), third.report(t, msgID).GetTotal().GetClicked())
	third.awaitSent(t, msgID)
	requireFollowedUpOnce(t, lab, msgID, clicked, others)
	third.terminate(t, patience)
}

// createFollowUp creates a policy with one step, which is due some time after the first sending.
func createFollowUp(t *testing.T, n *node, after time.Duration) *susulv1.ResendPolicy {
	t.Helper()
	created, err := n.policies.CreateResendPolicy(t.Context(), &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: "soon",
		ResendPolicy: &susulv1.ResendPolicy{
			Match:   "true",
			Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(0)},
			Steps: []*susulv1.ResendStep{{
				After: durationpb.New(after), Content: &susulv1.ResendContent{Title: "Still unread"},
			}},
		},
	})
	require.NoError(t, err)
	return created.GetResendPolicy()
}

func requirePolicy(t *testing.T, n *node, want *susulv1.ResendPolicy) {
	t.Helper()
	got, err := n.policies.GetResendPolicy(t.Context(), &susulv1.GetResendPolicyRequest{Name: want.GetName()})
	require.NoError(t, err)
	require.True(t, proto.Equal(want, got.GetResendPolicy()), "want %v\ngot  %v", want, got.GetResendPolicy())
}

// clickRows returns a click of each device on its first message.
func clickRows(t *testing.T, lab *engageLab, ids []string) []engagelab.CallbackRow {
	t.Helper()
	rows := make([]engagelab.CallbackRow, len(ids))
	for i, d := range lab.awaitDevices(t, ids, 1) {
		rows[i] = callbackRow(d.Messages[0].MsgID, d.RegistrationID, "click")
	}
	return rows
}

func postAll(t *testing.T, n *node, rows []engagelab.CallbackRow) {
	t.Helper()
	got, err := n.postCallbacks(rows)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
}

// requireFollowedUpOnce requires that all devices got the first sending once, and those who had not clicked the follow-up.
func requireFollowedUpOnce(t *testing.T, lab *engageLab, msgID string, clicked, others []string) {
	t.Helper()
	for _, d := range lab.awaitDevices(t, clicked, 1) {
		require.Len(t, messages(t, d, msgID), 1, "device %s clicked", d.RegistrationID)
	}
	for _, d := range lab.awaitDevices(t, others, 2) {
		got := messages(t, d, msgID)
		require.Len(t, got, 2, "device %s did not click", d.RegistrationID)
		require.Equal(t, "Still unread", got[1].Shown["android"].Title)
	}
}

// timeless returns a push without what changes as time passes.
func timeless(push *susulv1.Push) *susulv1.Push {
	push = proto.CloneOf(push)
	push.ExpectedFinishTime = nil // set once the follow-up is queued
	return push
}
