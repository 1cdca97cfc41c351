package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/replica/etcdtest"
	"susul.dev/susul/server/servertest/backend"
)

// sharing are nodes that all work on one PostgreSQL, and are elected by one etcd. Each can be cut off from the database.
type sharing struct {
	lab   *engageLab
	etcd  *etcdtest.Server
	dsn   string
	nodes []*node
	gates []*etcdtest.Gate // before the database, by node
}

func startSharing(t *testing.T, nodes int) *sharing {
	t.Helper()
	c := &sharing{dsn: backend.Database(t), etcd: etcdtest.Start(t), lab: startSandbox(t, obedient()...)}
	for range nodes {
		c.add(t)
	}
	for _, n := range c.nodes {
		n.awaitWorking(t)
	}
	eventually(t, "each node knows how many there are, and who leads", func() bool {
		for _, n := range c.nodes {
			if n.readiness(t).Nodes != nodes {
				return false
			}
		}
		return len(c.leaders(t)) == 1
	})
	return c
}

// add starts a node, which need not be ready yet.
func (c *sharing) add(t *testing.T) *node {
	t.Helper()
	database, err := url.Parse(c.dsn)
	require.NoError(t, err)
	gate := etcdtest.NewGate(t, database.Host)
	database.Host = gate.Address()
	settings := baseSettings(t.TempDir(), c.lab.url)
	settings["storage"] = map[string]any{"driver": "postgres", "dsn": database.String(), "connections": 8}
	settings["relay"] = map[string]any{"allow_private_networks": true}
	n := serve(t, "--config", writeSettings(t, settings), "--etcd.endpoints", c.etcd.Address())
	c.nodes, c.gates = append(c.nodes, n), append(c.gates, gate)
	return n
}

// awaitWorking waits until the node takes calls, whoever leads.
func (n *node) awaitWorking(t *testing.T) {
	t.Helper()
	eventually(t, "the node works", func() bool { return n.readiness(t).Status == http.StatusOK })
}

// leaders returns the places of the nodes that lead.
func (c *sharing) leaders(t *testing.T) (places []int) {
	t.Helper()
	for i, n := range c.nodes {
		if n.alive() && n.readiness(t).Role == "leader" {
			places = append(places, i)
		}
	}
	return places
}

// alive reports whether the process runs.
func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// members returns the nodes with the leader first.
func (c *sharing) members(t *testing.T) (leader *node, others []*node) {
	t.Helper()
	var places []int
	eventually(t, "one node leads", func() bool {
		places = c.leaders(t)
		return len(places) == 1
	})
	for i, n := range c.nodes {
		if i != places[0] && n.alive() {
			others = append(others, n)
		}
	}
	return c.nodes[places[0]], others
}

func (c *sharing) stop(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		if n.alive() {
			n.terminate(t, patience)
		}
	}
}

// Whatever a node is asked, it answers from what all know: a push on one, its callbacks on another, its report on a third.
func TestEveryNodeWorksOnOneDatabase(t *testing.T) {
	t.Parallel()
	c := startSharing(t, 3)
	leader, others := c.members(t)
	a, b := others[0], others[1]

	// A policy that one node writes all nodes have within a second.
	before := time.Now()
	policy := createFollowUp(t, a, 3*time.Second)
	revision := a.readiness(t).PolicyRevision
	for _, n := range c.nodes {
		eventually(t, "the policy is live", func() bool { return n.readiness(t).PolicyRevision >= revision })
	}
	require.Less(t, time.Since(before), time.Second)
	requirePolicy(t, b, policy)

	watched := watchEvents(t, b)
	to := people("shared", 300)
	clicked, rest := to[:30], to[30:]
	msgID := a.sendNews(t, "shared", to)
	require.NotNil(t, a.push(t, msgID).GetFirstSentTime(), "the call returned when EngageLab had answered, whoever sent it")
	again, err := b.try(http.MethodPost, "/v4/push", newsDocument(t, "shared", to), nil)
	require.NoError(t, err)
	require.Equal(t, msgID, readMsgID(t, again.body), "another node knows the request")
	rows := clickRows(t, c.lab, clicked)
	postAll(t, b, rows)
	postAll(t, leader, rows)
	require.EqualValues(t, len(clicked), leader.report(t, msgID).GetTotal().GetClicked())
	require.Len(t, a.events(t, msgID), len(clicked), "each counts once, wherever it is repeated")
	for range clicked {
		select {
		case event := <-watched:
			require.Equal(t, msgID, event.GetMsgId())
		case <-time.After(patience):
			require.Fail(t, "events can't be watched where they are not relayed")
		}
	}
	a.awaitSent(t, msgID)
	requireFollowedUpOnce(t, c.lab, msgID, clicked, rest)
	taken := c.lab.taken(t)
	require.Len(t, taken[0], len(to))
	require.Len(t, taken[1], len(rest))
	c.stop(t)
}

// Events of all nodes reach a push's callback URL once, from the node that leads, and any node says how that stands. When another leads,
// it goes on from there.
func TestEventsOfAllNodesAreRelayed(t *testing.T) {
	t.Parallel()
	c := startSharing(t, 2)
	leader, others := c.members(t)
	well := startReceiver(t, "", testCallbackSecret, nil)
	push := others[0].sendRelayed(t, c.lab, people("relayed", 60), well.URL+"/events")
	for i, batch := range push.batches {
		got, err := c.nodes[i%2].postCallbacks(batch)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	}
	stored := others[0].storedOf(t, []relayedPush{push})
	eventually(t, "the receiver has every event", func() bool { return well.count() == stored })
	for _, n := range c.nodes {
		got, err := n.relays.ListRelayEndpoints(t.Context(), &susulv1.ListRelayEndpointsRequest{Parent: "apps/" + testApp})
		require.NoError(t, err)
		require.Len(t, got.GetRelayEndpoints(), 1)
	}
	leader.terminate(t, patience)
	second := others[0].sendRelayed(t, c.lab, people("relayed-again", 20), well.URL+"/events")
	for _, batch := range second.batches {
		got, err := others[0].postCallbacks(batch)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	}
	stored = others[0].storedOf(t, []relayedPush{push, second})
	eventually(t, "the successor brings out every event", func() bool { return well.count() == stored })
	well.requireSound(t)
	c.stop(t)
}

// watchEvents watches an app's events until the test ends.
func watchEvents(t *testing.T, n *node) <-chan *susulv1.Event {
	t.Helper()
	stream, err := n.callbacks.WatchEvents(t.Context(), &susulv1.WatchEventsRequest{Parent: "apps/" + testApp})
	require.NoError(t, err)
	_, err = stream.Recv() // it has begun
	require.NoError(t, err)
	watched := make(chan *susulv1.Event, 10_000)
	go func() {
		for {
			answer, err := stream.Recv()
			if err != nil {
				return
			}
			if event := answer.GetEvent(); event != nil {
				watched <- event
			}
		}
	}()
	return watched
}

// The leader is killed while a follow-up is due, and sent by all: it reaches everybody once.
func TestFollowUpsGoOutOnceWhenNodesAreKilled(t *testing.T) {
	t.Parallel()
	c := startSharing(t, 3)
	leader, others := c.members(t)
	createFollowUp(t, leader, 4*time.Second)
	to := people("killed", 20_000)
	clicked, rest := to[:100], to[100:]
	msgID := others[0].sendNews(t, "killed", to)
	due := others[0].awaitDue(t, msgID)
	postAll(t, others[1], clickRows(t, c.lab, clicked))
	<-time.After(time.Until(due.Add(200 * time.Millisecond)))
	leader.crash()
	for {
		report := others[1].report(t, msgID)
		if stepsAreSent(report) {
			break
		}
		require.Less(t, time.Since(due), stepPatience, "%v", report)
		<-time.After(lookPause)
	}
	successor, _ := c.members(t)
	require.NotEqual(t, leader.grpc, successor.grpc)
	requireFollowedUpOnce(t, c.lab, msgID, clicked[:20], rest[:200])
	taken := c.lab.taken(t)
	require.Len(t, taken[0], len(to))
	require.Len(t, taken[1], len(rest))
	c.stop(t)
}

// awaitDue waits until the first follow-up has its time, and returns it.
func (n *node) awaitDue(t *testing.T, msgID string) (due time.Time) {
	t.Helper()
	eventually(t, "the step is due some time", func() bool {
		at := n.report(t, msgID).GetSteps()[1].GetDueTime()
		due = at.AsTime()
		return at != nil
	})
	return due
}

// A node that is cut off from the database says so, and refuses what it can't do; the others go on, one of them leads, and it comes back
// by itself.
func TestANodeThatLosesTheDatabaseRecovers(t *testing.T) {
	t.Parallel()
	t.Run("connections are cut", func(t *testing.T) {
		t.Parallel()
		loseDatabase(t, (*etcdtest.Gate).Close, (*etcdtest.Gate).Open)
	})
	t.Run("packets are lost", func(t *testing.T) {
		t.Parallel()
		loseDatabase(t, (*etcdtest.Gate).Stall, func(g *etcdtest.Gate, _ string) { g.Flow() })
	})
}

func loseDatabase(t *testing.T, lose func(*etcdtest.Gate), restore func(*etcdtest.Gate, string)) {
	t.Helper()
	c := startSharing(t, 2)
	leader, others := c.members(t)
	place := c.leaders(t)[0]
	createFollowUp(t, leader, time.Second)
	database, err := url.Parse(c.dsn)
	require.NoError(t, err)
	lose(c.gates[place])
	eventually(t, "the node says that it can't write", func() bool {
		s := leader.readiness(t)
		return s.Status == http.StatusServiceUnavailable && strings.Contains(fmt.Sprint(s.Faults), "storage")
	})
	_, err = leader.pushes.GetPush(t.Context(), &susulv1.GetPushRequest{Name: pushName("1")})
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	got, err := leader.postCallbacks([]engagelab.CallbackRow{callbackRow("1", "somebody", "sent")})
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.NotEmpty(t, got.header.Get("Retry-After"))
	require.NotContains(t, got.body, "127.0.0.1", "what is internal stays inside")

	to := people("cut", 100)
	msgID := others[0].sendNews(t, "cut", to)
	eventually(t, "the other leads", func() bool { return others[0].readiness(t).Role == "leader" })
	others[0].awaitSent(t, msgID)
	restore(c.gates[place], database.Host)
	leader.awaitWorking(t)
	requireFollowedUpOnce(t, c.lab, msgID, nil, to)
	second := leader.sendNews(t, "back", to)
	leader.awaitSent(t, second)
	c.stop(t)
}

// A node that starts while there is no database waits for it; one that is elected elsewhere is refused.
func TestNodesOfOneDatabaseShareAnEtcd(t *testing.T) {
	t.Parallel()
	c := startSharing(t, 1)
	database, err := url.Parse(c.dsn)
	require.NoError(t, err)
	target := database.Host
	gate := etcdtest.NewGate(t, target)
	gate.Close()
	database.Host, database.User = gate.Address(), url.UserPassword(database.User.Username(), "hunter2-the-password")
	settings := baseSettings(t.TempDir(), c.lab.url)
	settings["storage"] = map[string]any{"driver": "postgres", "dsn": database.String()}
	lonely := serve(t, "--config", writeSettings(t, settings)) // with an etcd of its own
	lonely.await(t, `"storage can't be used now"`)
	s := lonely.readiness(t)
	require.Equal(t, http.StatusServiceUnavailable, s.Status)
	require.Equal(t, "member", s.Role)
	require.Contains(t, s.Faults, "storage can't be reached")
	require.True(t, s.Etcd.Connected, "it has not asked for a lease yet")
	require.NotContains(t, fmt.Sprint(s.Faults), "etcd", "which is not to blame")

	gate.Open(target)
	require.Equal(t, 1, lonely.exitCode(t, patience))
	require.Contains(t, lonely.stderr.String(), "another etcd")
	require.NotContains(t, lonely.stderr.String(), "hunter2")
	require.Equal(t, http.StatusOK, c.nodes[0].readiness(t).Status)
	c.stop(t)
}

// While etcd is away, nodes take and send pushes; what only a leader does waits for it.
func TestNodesSendWithoutEtcd(t *testing.T) {
	t.Parallel()
	c := startSharing(t, 2)
	createFollowUp(t, c.nodes[0], time.Second)
	c.etcd.Stop()
	eventually(t, "nobody leads", func() bool { return len(c.leaders(t)) == 0 })
	to := people("alone", 100)
	msgID := c.nodes[0].sendNews(t, "alone", to)
	require.NotNil(t, c.nodes[1].push(t, msgID).GetFirstSentTime())
	postAll(t, c.nodes[1], clickRows(t, c.lab, to[:10]))
	for _, n := range c.nodes {
		s := n.readiness(t)
		require.Equal(t, http.StatusOK, s.Status, "%v", s.Faults)
		require.Equal(t, 2, s.Nodes, "the last number counts")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := c.nodes[0].policies.DeleteResendPolicy(ctx, &susulv1.DeleteResendPolicyRequest{Name: "resendPolicies/soon"})
	require.Error(t, err)
	require.NotEqual(t, susulv1.StepState_STEP_STATE_PLANNED, c.nodes[0].report(t, msgID).GetSteps()[1].GetState())
	c.etcd.Start()
	c.nodes[0].awaitSent(t, msgID)
	requireFollowedUpOnce(t, c.lab, msgID, to[:10], to[10:])
	c.stop(t)
}
