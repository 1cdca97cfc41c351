package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/replica/etcdtest"
)

const (
	takeoverPeople = 100_000

	// takeoversEnv says how often the leader is killed, if not defaultTakeovers times.
	takeoversEnv     = "SUSUL_TEST_TAKEOVERS"
	defaultTakeovers = 2

	// firstStep is when the push's only follow-up is due: what is not sent when a further one is due would be superseded. The clock is
	// the real one: that of a process which starts later would lag behind if it ran faster.
	firstStep = 6 * time.Second

	// planning is how long it takes to plan a step and to begin with its sending, roughly.
	planning = 1500 * time.Millisecond

	// stepPatience bounds a step, a change of leader and EngageLab's lost answers included.
	stepPatience = 3 * time.Minute

	// lookPause is the pause between two looks at which dispatches nobody has claimed yet.
	lookPause = 300 * time.Millisecond

	sampledDevices = 500
)

// cluster is two processes on one database, elected by an etcd that outlasts them.
type cluster struct {
	args     []string
	database string

	mu      sync.Mutex
	members [2]*node

	// unclaimed are the times at which a dispatch was still to be decided about, by the first three parts of its cid.
	unclaimed map[string][]time.Time
}

func (c *cluster) nodes() [2]*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members
}

// leader is the first of the members, once awaitLeader has returned.
func (c *cluster) leader() *node { return c.nodes()[0] }

// killLeader ends the leader, and tells when it is gone.
func (c *cluster) killLeader(gone chan struct{}) {
	c.leader().crash()
	close(gone)
}

// replace starts a node in the place of the killed leader; either may lead then.
func (c *cluster) replace(t *testing.T) {
	t.Helper()
	successor := serve(t, c.args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = [2]*node{c.members[1], successor}
}

func (c *cluster) awaitLeader(t *testing.T) {
	t.Helper()
	eventually(t, "a node leads", func() bool {
		for i, n := range c.nodes() {
			if n.readiness(t).leads() {
				c.mu.Lock()
				c.members[0], c.members[i] = c.members[i], c.members[0]
				c.mu.Unlock()
				return true
			}
		}
		return false
	})
}

// Guarantees 3 and 4 where they are hardest: the leader is killed while a step is planned and sent to many, callbacks come in
// meanwhile, and EngageLab's answers get lost.
func TestStepsReachEverybodyOnceThroughTakeovers(t *testing.T) {
	rounds := fromEnvironment(t, takeoversEnv, defaultTakeovers)
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprintf("seed %d", seed+1), func(t *testing.T) { killLeader(t, rand.New(rand.NewPCG(seed+1, 7))) })
	}
}

// killLeader sends a push and kills the leader once in its follow-up.
func killLeader(t *testing.T, random *rand.Rand) {
	t.Helper()
	etcd := etcdtest.Start(t)
	dir := t.TempDir()
	c := &cluster{database: filepath.Join(dir, database), unclaimed: map[string][]time.Time{}}
	waiting, sample := drawAmbush(random), random.Perm(takeoverPeople)[:sampledDevices]
	f := newFront(c, random)
	lab := startSandbox(t, append(obedient(), "--quota=1000000")...)
	settings := baseSettings(dir, lab.behind(t, f.toEngageLab))
	settings["apps"].([]any)[0].(map[string]any)["requests_per_second"] = 1e6
	config := writeSettings(t, settings)
	c.args = []string{"--config", config, "--etcd.endpoints", etcd.Address()}
	c.members = [2]*node{serve(t, c.args...), serve(t, c.args...)}
	c.awaitLeader(t)
	createStep(t, c.leader())
	reporting, stopReporting := context.WithCancel(t.Context())
	var reports sync.WaitGroup
	reports.Go(func() { f.report(reporting) })
	defer reports.Wait()
	defer stopReporting()
	to := people("takeover", takeoverPeople)
	msgID := c.leader().sendNews(t, "takeover", to)

	c.awaitSteps(t, msgID, 0)
	c.takeOver(t, f, msgID, waiting, c.leader().report(t, msgID).GetSteps()[1].GetDueTime().AsTime())
	done := c.awaitSteps(t, msgID, 1)
	stopReporting()
	reports.Wait()
	taken := lab.taken(t)
	for _, i := range sample {
		requireTaken(t, lab, msgID, to[i], taken)
	}
	report := c.leader().report(t, msgID)
	for _, n := range c.nodes() {
		n.terminate(t, patience)
	}
	checkSteps(t, f, report, taken, to, done)
}

// createStep creates the policy of the test's push. Every tenth recipient has a text of their own.
func createStep(t *testing.T, n *node) {
	t.Helper()
	policy := &susulv1.ResendPolicy{
		Match:   "true",
		Trigger: &susulv1.ResendTrigger{Unless: susulv1.Milestone_MILESTONE_CLICKED, Within: durationpb.New(0)},
		Steps: []*susulv1.ResendStep{{
			After: durationpb.New(firstStep),
			Content: &susulv1.ResendContent{
				Title: "Still unread",
				Alert: `{% assign last = device.registration_id | slice: -1 %}` +
					`{% if last == "7" %}For {{ device.registration_id }} alone{% else %}For all{% endif %}`,
			},
		}},
	}
	_, err := n.policies.CreateResendPolicy(t.Context(), &susulv1.CreateResendPolicyRequest{
		ResendPolicyId: "takeover", ResendPolicy: policy,
	})
	require.NoError(t, err)
}

// drawAmbush draws a moment: while the step is planned, or while it is sent.
func drawAmbush(random *rand.Rand) ambush {
	a := ambush{step: 1, sprung: make(chan struct{})}
	if random.IntN(3) == 0 {
		a.after = time.Duration(random.Int64N(int64(planning)))
	} else {
		a.request, a.taken = 1+random.IntN(takeoverPeople/2/1000), random.IntN(2) == 0
	}
	return a
}

// takeOver sees to it that the leader falls into an ambush, starts another node, and waits until one leads. A step that was due
// while the one before was still on its way may be past the ambush's moment; the leader is killed at once then.
func (c *cluster) takeOver(t *testing.T, f *front, msgID string, a ambush, due time.Time) {
	t.Helper()
	if a.request == 0 {
		<-time.After(time.Until(due.Add(a.after)))
	}
	if f.lay(a) { // always, if it is for none of the requests
		c.killLeader(a.sprung)
	}
	for tooLate := time.Now().Add(stepPatience); !c.lookUntil(t, msgID, a.sprung); {
		require.True(t, time.Now().Before(tooLate), "step %d did not come to its ambush, %+v", a.step, a)
	}
	t.Logf("step %d: ambushed with request %d (taken: %t), %s after it was due", a.step, a.request, a.taken, time.Since(due))
	c.replace(t)
	c.awaitLeader(t)
}

// awaitSteps waits until all steps up to one are sent, whoever leads, and returns when that was known.
func (c *cluster) awaitSteps(t *testing.T, msgID string, step int) time.Time {
	t.Helper()
	var report *susulv1.PushReport
	for tooLate := time.Now().Add(stepPatience); time.Now().Before(tooLate); <-time.After(lookPause) {
		c.look(t, msgID)
		for _, n := range c.nodes() {
			got, err := n.callbacks.GetPushReport(t.Context(), &susulv1.GetPushReportRequest{Name: pushName(msgID) + "/report"})
			if err != nil {
				continue // it stands by, or has fallen into the next step's ambush
			}
			report = got.GetReport()
			if stepsAreSent(&susulv1.PushReport{Steps: report.GetSteps()[:step+1]}) {
				return time.Now()
			}
		}
	}
	require.Fail(t, "a step is not sent", "%d: %v", step, report)
	return time.Time{}
}

// lookUntil looks, and reports whether the leader is gone already or in a moment.
func (c *cluster) lookUntil(t *testing.T, msgID string, gone <-chan struct{}) bool {
	t.Helper()
	c.look(t, msgID)
	select {
	case <-gone:
		c.look(t, msgID)
		return true
	case <-time.After(lookPause):
		return false
	}
}

// look notes which dispatches are pending, in the database itself: whoever claims one later must know of every click that was
// acknowledged before.
func (c *cluster) look(t *testing.T, msgID string) {
	t.Helper()
	now := time.Now()
	out, err := exec.CommandContext(t.Context(), "susul", "inspect", "--dsn", c.database, "--json", "push", msgID, "--dispatches").Output()
	if err != nil {
		return // a server has started meanwhile
	}
	for line := range bytes.Lines(out) {
		var dispatch struct {
			Step  int    `json:"step"`
			Chunk int    `json:"chunk"`
			State string `json:"state"`
		}
		require.NoError(t, json.Unmarshal(line, &dispatch), "%s", line)
		if dispatch.State == "PENDING" {
			cid := fmt.Sprintf("%s-%d-%d", msgID, dispatch.Step, dispatch.Chunk)
			c.unclaimed[cid] = append(c.unclaimed[cid], now)
		}
	}
}

// taken returns what the sandbox took: of each step, the cid with which each recipient got it.
func (e *engageLab) taken(t *testing.T) []map[string]string {
	t.Helper()
	l := newSendLog(e)
	l.read(t)
	return l.steps
}

// requireTaken requires that a device has what the sandbox's requests say.
func requireTaken(t *testing.T, lab *engageLab, msgID, id string, taken []map[string]string) {
	t.Helper()
	byStep := messages(t, lab.devices(t, []string{id})[0], msgID)
	for step := range taken {
		require.Equal(t, taken[step][id], byStep[step].CID)
	}
}

// unclaimedUntil returns the last moment before a request's arrival at which its dispatch is known to have been unclaimed; the
// zero time if there is none.
func (f *front) unclaimedUntil(cid string) (last time.Time) {
	for _, at := range f.cluster.unclaimed[strings.Join(strings.Split(cid, "-")[:3], "-")] {
		if at.Before(f.arrived[cid]) {
			last = at
		}
	}
	return last
}

// checkSteps looks at everybody: whose click was stored before a dispatch was claimed did not get it, and who had not clicked
// by the end of a step got it.
func checkSteps(t *testing.T, f *front, report *susulv1.PushReport, taken []map[string]string, to []string, done time.Time) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Len(t, taken[0], len(to))
	for step := 1; step < len(taken); step++ {
		due := report.GetSteps()[step].GetDueTime().AsTime()
		early, late, clicked, compared := 0, 0, 0, 0
		for _, id := range to {
			cid, got := taken[step][id]
			c := f.clicks[id]
			acknowledged := c != nil && !c.acknowledged.IsZero()
			switch {
			case !got:
				require.True(t, c != nil && !c.posted.IsZero() && c.posted.Before(done), "%s did not click and lacks step %d", id, step)
				if acknowledged && c.acknowledged.Before(due) {
					early++
				} else {
					late++
				}
			case acknowledged:
				clicked++
				if !f.unclaimedUntil(cid).IsZero() {
					compared++
				}
				require.False(t, c.acknowledged.Before(due), "%s clicked before step %d was due, and got it", id, step)
				require.False(t, c.acknowledged.Before(f.unclaimedUntil(cid)), "%s clicked before %s was claimed, and got it", id, cid)
			}
		}
		t.Logf("step %d went to %d; %d had clicked before it was due, %d meanwhile; of %d who clicked and got it, %d "+
			"were compared with when it was claimed", step, len(taken[step]), early, late, clicked, compared)
		require.Positive(t, early)
		funnel, passed := report.GetSteps()[step].GetFunnel(), report.GetSteps()[step].GetPassedOver()
		require.EqualValues(t, len(taken[step]), funnel.GetTargets())
		require.EqualValues(t, len(to), funnel.GetTargets()+sum(passed), "%v", passed)
	}
}
