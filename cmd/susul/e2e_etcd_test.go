package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab/sandbox"
	"susul.dev/susul/server/replica/etcdtest"
)

const (
	// memberLost is how long one member of etcd is away: longer than a lease lasts.
	memberLost = leaseTTL + time.Second

	// quorumLostEnv is how many seconds two members of etcd are away, if not defaultQuorumLost.
	quorumLostEnv     = "SUSUL_TEST_QUORUM_LOST"
	defaultQuorumLost = 12
)

// One member of etcd is killed, and another freezes, its leader both times: callers notice nothing, policies can be changed, and
// the same node leads all the time.
func TestOneLostMemberOfEtcdIsNotNoticed(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	f := startCallers(t, p)
	before := p.nodes[0].readiness(t)
	for _, trouble := range []struct{ begin, end func(*etcdtest.Member) }{
		{(*etcdtest.Member).Kill, (*etcdtest.Member).Start}, {(*etcdtest.Member).Freeze, (*etcdtest.Member).Thaw},
	} {
		lost := p.etcd.Leader()
		trouble.begin(lost)
		changes := 0
		for over := time.Now().Add(memberLost); time.Now().Before(over); changes++ {
			changePolicy(t, p.nodes[0].node, fmt.Sprintf("change %d", changes))
		}
		require.Positive(t, changes)
		trouble.end(lost)
		lost.AwaitHealthy()
	}
	after := p.nodes[0].readiness(t)
	require.Equal(t, before.Election, after.Election, "the same leader, in the same term")
	require.True(t, after.leads())
	f.requireOnce(t)
	require.Less(t, f.longest, leaseTTL)
	require.Empty(t, f.refused, "a node that stands by forwards")
	p.terminate(t)
}

// changePolicy changes createFollowUp's policy, and requires that it works.
func changePolicy(t *testing.T, n *node, to string) {
	t.Helper()
	require.NoError(t, tryPolicy(t, n, to))
}

func tryPolicy(t *testing.T, n *node, to string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	current, err := n.policies.GetResendPolicy(ctx, &susulv1.GetResendPolicyRequest{Name: "resendPolicies/soon"})
	if err != nil {
		return err
	}
	policy := current.GetResendPolicy()
	policy.DisplayName = to
	_, err = n.policies.UpdateResendPolicy(ctx, &susulv1.UpdateResendPolicyRequest{ResendPolicy: policy})
	return err
}

// Two members of three are away for longer than a lease: with SQLite nobody leads then. Nothing is sent, calls are refused as
// unavailable, and readiness and metrics say why. When etcd is back, one node leads, and everything goes on where it was.
func TestQuorumOfEtcdIsLost(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	f := startCallers(t, p)
	led := p.nodes[0].readiness(t)
	eventually(t, "a step was sent", func() bool { return p.hasSentStep(t, 1) })

	lost := p.etcd.Members[:2]
	over := time.After(time.Duration(fromEnvironment(t, quorumLostEnv, defaultQuorumLost)) * time.Second)
	for _, m := range lost {
		m.Kill()
	}
	began := time.Now()
	for i, n := range p.nodes {
		s := n.awaitState(t, "its lease is in doubt", func(s readiness) bool { return s.Role == "standby" && s.Election.State == "in_doubt" })
		require.Less(t, time.Since(began), 2*leaseTTL)
		require.False(t, s.Etcd.Connected)
		require.Contains(t, strings.Join(s.Faults, "\n"), "etcd: this node's lease is in doubt since ")
		n.awaitState(t, "its policies are cut off", func(s readiness) bool {
			return strings.Contains(strings.Join(s.Faults, "\n"), "resend policies serve as they were")
		})
		m := n.metrics(t)
		require.Zero(t, m["susul_leading"], "node %d", i)
		require.Zero(t, m["susul_etcd_connected"])
		require.InDelta(t, 1, m[`susul_election_state{state="in_doubt"}`], 0)
		require.Zero(t, m["susul_election_lease_seconds"])
		require.InDelta(t, 1, m["susul_policies"], 0, "the last snapshot is there")
	}
	sent := len(p.lab.requests(t))
	requireUnavailable(t, p)
	<-over
	require.Len(t, p.lab.requests(t), sent, "something was sent without a leader")

	for _, m := range lost {
		m.Start()
	}
	back := time.Now()
	successor := p.leader(t)
	t.Logf("a node leads %s after the quorum is back", time.Since(back))
	s := successor.readiness(t)
	require.Greater(t, s.Election.Term, led.Election.Term)
	require.InDelta(t, s.Election.Term, successor.metrics(t)["susul_election_term"], 0)
	changePolicy(t, successor, "after the quorum was lost")
	f.requireOnce(t)
	for refusal := range f.refused {
		require.NotContains(t, refusal, "internal")
	}
	for _, n := range p.nodes {
		n.awaitState(t, "etcd is connected", func(s readiness) bool { return s.Etcd.Connected })
	}
	p.terminate(t)
}

// hasSentStep reports whether a step of any push has reached EngageLab.
func (p *pair) hasSentStep(t *testing.T, step int) bool {
	t.Helper()
	return slices.ContainsFunc(p.lab.requests(t), func(r sandbox.Request) bool {
		var request sending
		return json.Unmarshal(r.Document, &request) == nil && stepIn(request.Body.Options.CID) == step
	})
}

// requireUnavailable requires that a change of a policy is refused in time, as what it is.
func requireUnavailable(t *testing.T, p *pair) {
	t.Helper()
	for _, n := range p.nodes {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := tryCreate(ctx, n.node, "without-quorum")
		cancel()
		require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	}
}

// A node is cut off from etcd while policies and subscriptions change and etcd forgets how. When it is back it has exactly what
// there is.
func TestCompactionWhileANodeIsCutOff(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	leader, standby := p.nodes[0], p.nodes[1]
	createFollowUp(t, leader.node, time.Hour)
	for _, id := range []string{"kept", "gone"} {
		createSubscription(t, leader.node, id)
	}
	standby.awaitState(t, "it follows", func(s readiness) bool { return s.PolicyRevision >= leader.readiness(t).PolicyRevision })
	loads := standby.metrics(t)["susul_policy_loads_total"]

	standby.network.Close()
	standby.awaitState(t, "it is cut off", func(s readiness) bool { return !s.Etcd.Connected })
	changePolicy(t, leader.node, "changed in the gap")
	for i := range 3 {
		createPolicy(t, leader.node, fmt.Sprintf("gap%d", i))
	}
	_, err := leader.policies.DeleteResendPolicy(t.Context(), &susulv1.DeleteResendPolicyRequest{Name: "resendPolicies/gap1"})
	require.NoError(t, err)
	_, err = leader.callbacks.DeleteSubscription(t.Context(), &susulv1.DeleteSubscriptionRequest{
		Name: "apps/" + testApp + "/subscriptions/gone",
	})
	require.NoError(t, err)
	createSubscription(t, leader.node, "new")
	p.forget(t)
	require.InDelta(t, 1, standby.metrics(t)["susul_policies"], 0, "it can't know yet")

	opened := time.Now()
	standby.network.Open()
	eventually(t, "it has what there is", func() bool {
		m := standby.metrics(t)
		return m["susul_policies"] == 3 && m["susul_subscriptions"] == 2 && m["susul_etcd_connected"] == 1
	})
	t.Logf("everything is there %s after the network is back", time.Since(opened))
	require.Less(t, time.Since(opened), 2*leaseTTL)
	require.Greater(t, standby.metrics(t)["susul_policy_loads_total"], loads, "it was loaded again")

	policies, subscriptions := listAll(t, leader.node)
	leader.terminate(t, patience)
	standby.awaitReady(t)
	after, subscribed := listAll(t, standby.node)
	require.Equal(t, policies, after)
	require.Equal(t, subscriptions, subscribed)
	standby.terminate(t, patience)
}

// forget compacts and defragments etcd, up to now.
func (p *pair) forget(t *testing.T) {
	t.Helper()
	client := p.etcd.Client()
	head, err := client.Get(t.Context(), "head")
	require.NoError(t, err)
	_, err = client.Compact(t.Context(), head.Header.GetRevision(), clientv3.WithCompactPhysical())
	require.NoError(t, err)
	for _, endpoint := range p.etcd.Endpoints() {
		_, err = client.Defragment(t.Context(), endpoint)
		require.NoError(t, err)
	}
}

func createPolicy(t *testing.T, n *node, id string) {
	t.Helper()
	require.NoError(t, tryCreate(t.Context(), n, id))
}

func tryCreate(ctx context.Context, n *node, id string) error {
	_, err := n.policies.CreateResendPolicy(ctx, &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: id,
		ResendPolicy: &susulv1.ResendPolicy{
			Match:   "false",
			Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(time.Hour)},
			Steps:   []*susulv1.ResendStep{{After: durationpb.New(time.Hour), Content: &susulv1.ResendContent{Title: id}}},
		},
	})
	return err
}

func createSubscription(t *testing.T, n *node, id string) {
	t.Helper()
	_, err := n.callbacks.CreateSubscription(t.Context(), &susulv1.CreateSubscriptionRequest{
		Parent: "apps/" + testApp, SubscriptionId: id,
		Subscription: &susulv1.Subscription{Url: "https://example.com/" + id, Username: testCallbackUser, Secrets: []string{couponSecret}},
	})
	require.NoError(t, err)
}

// listAll returns all policies and subscriptions, as text.
func listAll(t *testing.T, n *node) (policies, subscriptions string) {
	t.Helper()
	listed, err := n.policies.ListResendPolicies(t.Context(), &susulv1.ListResendPoliciesRequest{})
	require.NoError(t, err)
	subscribed, err := n.callbacks.ListSubscriptions(t.Context(), &susulv1.ListSubscriptionsRequest{Parent: "apps/" + testApp})
	require.NoError(t, err)
	return fmt.Sprint(listed), fmt.Sprint(subscribed)
}

// The leader is cut off from etcd without a word, and another node is not: that one leads, not before the first has stopped, and
// whoever calls gets through to it.
func TestPartitionOfTheLeaderFromEtcd(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	former, successor := p.nodes[0], p.nodes[1]
	f := startCallers(t, p)
	eventually(t, "a step was sent", func() bool { return p.hasSentStep(t, 1) })
	term := former.readiness(t).Election.Term

	former.network.Stall()
	began := time.Now()
	for {
		// The question that comes second sees the later state, so that two at once would be seen, too.
		second, first := successor.metrics(t)["susul_leading"], former.metrics(t)["susul_leading"]
		require.LessOrEqual(t, first+second, 1.0, "two lead at once")
		if second == 1 {
			break
		}
		require.Less(t, time.Since(began), patience)
		<-time.After(pollPause)
	}
	t.Logf("another leads %s after the leader was cut off", time.Since(began))
	require.Less(t, time.Since(began), 2*leaseTTL)
	s := former.awaitState(t, "it knows that it is cut off", func(s readiness) bool { return s.Election.State == "in_doubt" && s.Role == "standby" })
	require.Contains(t, strings.Join(s.Faults, "\n"), "etcd: this node's lease is in doubt since ")
	require.Greater(t, successor.readiness(t).Election.Term, term)
	successor.awaitReady(t)

	// A caller of the former gets an answer, or is told to ask another: cut off from etcd, it may not know whom.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := former.pushes.ListPushes(ctx, &susulv1.ListPushesRequest{Parent: "apps/" + testApp})
	if err != nil {
		require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
		require.Contains(t, fmt.Sprint(status.Convert(err).Details()), "STANDBY")
	}
	changePolicy(t, successor.node, "during the partition")

	former.network.Flow()
	former.awaitState(t, "it is back", func(s readiness) bool { return s.Election.State == "candidate" && s.Etcd.Connected })
	require.InDelta(t, successor.readiness(t).Election.Term, former.readiness(t).Election.Term, 0)
	f.requireOnce(t)
	require.True(t, successor.readiness(t).leads())
	p.terminate(t)
}
