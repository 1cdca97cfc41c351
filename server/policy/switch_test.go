package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/server/replica/etcdtest"
)

func stopped(app string) func(*policy.Snapshot) bool {
	return func(s *policy.Snapshot) bool { return s.FollowUpsStopped(app) }
}

func TestSwitch(t *testing.T) {
	etcd := etcdtest.Start(t)
	n, other := newNode(t, etcd), newNode(t, etcd)
	created, err := n.Create(t.Context(), news())
	require.NoError(t, err)
	_, ok := n.Snapshot().Switch("app1")
	require.False(t, ok)
	require.False(t, n.Snapshot().FollowUpsStopped("app1"))

	n.clock.Advance(time.Minute)
	want := policy.Switch{App: "app1", Stopped: true, Note: "a wrong text", UpdateTime: start.Add(time.Minute)}
	before := n.Snapshot().Revision
	set, err := n.SetSwitch(t.Context(), policy.Switch{App: "app1", Stopped: true, Note: "a wrong text"})
	require.NoError(t, err)
	require.Equal(t, want, set)
	s := n.Snapshot()
	require.Greater(t, s.Revision, before, "the node has it when SetSwitch returns")
	got, ok := s.Switch("app1")
	require.True(t, ok)
	require.Equal(t, want, got)
	require.False(t, s.FollowUpsStopped("app2"))
	require.True(t, has(created.ID)(s), "one snapshot holds both")
	other.waitFor(t, stopped("app1"))
	require.True(t, stopped("app1")(newNode(t, etcd).Snapshot()), "so does one that is loaded")

	_, err = n.SetSwitch(t.Context(), policy.Switch{App: "app1"})
	require.NoError(t, err)
	got, ok = n.Snapshot().Switch("app1")
	require.True(t, ok)
	require.False(t, got.Stopped)
	_, err = n.client.Delete(t.Context(), policy.SwitchKey("app1"))
	require.NoError(t, err)
	n.waitFor(t, func(s *policy.Snapshot) bool { _, ok := s.Switch("app1"); return !ok })
}

func TestBrokenSwitchKeepsItsLastGoodState(t *testing.T) {
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	_, err := n.SetSwitch(t.Context(), policy.Switch{App: "app1", Stopped: true})
	require.NoError(t, err)
	for _, value := range []string{`{`, ``, `[]`, `{"stopped":"no"}`} {
		put, err := n.client.Put(t.Context(), policy.SwitchKey("app1"), value)
		require.NoError(t, err)
		s := n.waitFor(t, func(s *policy.Snapshot) bool { return s.Revision >= put.Header.GetRevision() })
		require.True(t, s.FollowUpsStopped("app1"), value)
		require.Equal(t, []string{"apps/app1/followUpSwitch"}, n.Status().Broken)
	}
	require.EqualValues(t, 1, n.metric(t, "susul_policies_broken"))
	fresh := newNode(t, etcd)
	require.False(t, fresh.Snapshot().FollowUpsStopped("app1"), "a node that saw no good state has none")
	require.Equal(t, []string{"apps/app1/followUpSwitch"}, fresh.Status().Broken)
	_, err = n.SetSwitch(t.Context(), policy.Switch{App: "app1"})
	require.NoError(t, err, "it can be repaired")
	require.Empty(t, n.Status().Broken)
	require.False(t, n.Snapshot().FollowUpsStopped("app1"))
}

// The election, and whoever else, writes beside the policies.
func TestKeysOfOthersAreNotSeen(t *testing.T) {
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd)
	created, err := n.Create(t.Context(), news())
	require.NoError(t, err)
	s := n.Snapshot()
	var last int64
	for _, key := range []string{
		"/susul/election/694d", "/susul/policiesx", "/susul/apps/app1", "/susul/apps/app1/followUpSwitch/x",
		"/susul/apps//followUpSwitch", "/susul/apps/a/b/followUpSwitch", "/susul/apps/followUpSwitch", "/susulx",
	} {
		_, err := n.client.Put(t.Context(), key, `{"stopped":true}`)
		require.NoError(t, err)
		deleted, err := n.client.Delete(t.Context(), key)
		require.NoError(t, err)
		_, err = n.client.Put(t.Context(), key, `{`)
		require.NoError(t, err)
		last = deleted.Header.GetRevision()
	}
	require.Eventually(t, func() bool { return n.Status().AppliedRevision >= last }, patience, 10*time.Millisecond)
	require.Same(t, s, n.Snapshot(), "nothing changed")
	require.Empty(t, n.Status().Broken)
	fresh := newNode(t, etcd)
	require.Empty(t, fresh.Status().Broken)
	require.Len(t, fresh.Snapshot().List(), 1)

	// A change of ours in a transaction with one of theirs is seen.
	_, err = n.client.Txn(t.Context()).Then(
		clientv3.OpPut("/susul/election/694d", "x"), clientv3.OpDelete(policy.Prefix+created.ID),
		clientv3.OpPut(policy.SwitchKey("app1"), `{"stopped":true}`), clientv3.OpPut("/susul/zzz", "x"),
	).Commit()
	require.NoError(t, err)
	s = n.waitFor(t, stopped("app1"))
	require.False(t, has(created.ID)(s), "both at once")
}

func TestSwitchWithoutEtcd(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	gate := etcdtest.NewGate(t, etcd.Address())
	writer := newNode(t, etcd)
	n := startNode(t, etcdtest.Dial(t, gate.Address()))
	_, err := writer.SetSwitch(t.Context(), policy.Switch{App: "app1", Stopped: true})
	require.NoError(t, err)
	n.waitFor(t, stopped("app1"))

	gate.Close()
	require.Eventually(t, func() bool { return !n.connected() }, patience, 10*time.Millisecond)
	_, err = n.SetSwitch(t.Context(), policy.Switch{App: "app1"})
	require.ErrorIs(t, err, policy.ErrUnavailable)
	require.True(t, n.Snapshot().FollowUpsStopped("app1"), "the last snapshot goes on serving")
	_, err = writer.client.Delete(t.Context(), policy.SwitchKey("app1"))
	require.NoError(t, err)
	_, err = writer.SetSwitch(t.Context(), policy.Switch{App: "app2", Stopped: true})
	require.NoError(t, err)
	_, err = writer.client.Compact(t.Context(), writer.Snapshot().Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)

	gate.Open(etcd.Address())
	s := n.waitFor(t, stopped("app2"))
	require.False(t, s.FollowUpsStopped("app1"), "the deletion was missed, but the reload shows it")
}

func TestResumedStepIsMeasuredAnew(t *testing.T) {
	n := newNode(t, etcdtest.Start(t))
	_, err := n.Create(t.Context(), news())
	require.NoError(t, err)
	update := func(change func(step *policy.Step)) policy.Step {
		t.Helper()
		n.clock.Advance(time.Minute)
		updated, err := n.Update(t.Context(), 0, "morning-news", func(p policy.Policy) (policy.Policy, error) {
			change(&p.Steps[0])
			return p, nil
		})
		require.NoError(t, err)
		require.Empty(t, updated.Steps[1].PauseReason)
		require.Zero(t, updated.Steps[1].MeasuredSince)
		return updated.Steps[0]
	}
	step := update(func(s *policy.Step) { s.Paused = true })
	require.Empty(t, step.PauseReason)
	step = update(func(s *policy.Step) { s.Paused = false })
	require.Zero(t, step.MeasuredSince, "an administrator had paused it")

	step = update(func(s *policy.Step) { s.Paused, s.PauseReason = true, "it did harm" })
	require.Equal(t, "it did harm", step.PauseReason)
	step = update(func(s *policy.Step) { s.OnlyIf = "true" })
	require.Equal(t, "it did harm", step.PauseReason, "it is still paused")
	require.Zero(t, step.MeasuredSince)
	step = update(func(s *policy.Step) { s.Paused = false })
	require.Empty(t, step.PauseReason)
	require.Equal(t, n.clock.Now(), step.MeasuredSince)
	resumed := step.MeasuredSince
	update(func(s *policy.Step) { s.Paused = true })
	step = update(func(s *policy.Step) { s.Paused = false })
	require.Equal(t, resumed, step.MeasuredSince)
}
