package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/engagelab/sandbox"
)

const (
	killPeople   = 5000
	reporters    = 16 // connections that callbacks come in on
	rowsPerBatch = 20

	// killsEnv says how often to crash in the middle of callbacks, if not defaultKills times.
	killsEnv      = "SUSUL_TEST_KILLS"
	defaultKills  = 5
	peoplePerKill = 400
)

// fromEnvironment reads a count from the environment, for those who have more time than a usual run.
func fromEnvironment(t *testing.T, name string, usual int) int {
	t.Helper()
	text, given := os.LookupEnv(name)
	if !given {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// Guarantees 1 and 2: a callback that got its 200 survives kill -9, and counts once however often it comes.
func TestAcknowledgedCallbacksSurviveKill(t *testing.T) {
	lab := startSandbox(t, obedient()...)
	config := writeSettings(t, baseSettings(t.TempDir(), lab.url))
	n := serve(t, "--config", config)
	n.awaitReady(t)
	rounds := fromEnvironment(t, killsEnv, defaultKills)
	to := people("kill", max(killPeople, rounds*peoplePerKill))
	msgID := n.sendNews(t, "kill", to)
	n.awaitSent(t, msgID)

	random := rand.New(rand.NewPCG(1, 2))
	open, want := callbackBatches(t, lab, to)
	all := open
	random.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	var acknowledged []callbackBatch
	for range rounds {
		// Some of what was acknowledged comes again, between what was not.
		work := slices.Clone(open)
		for range min(len(acknowledged), 2*reporters) {
			work = append(work, acknowledged[random.IntN(len(acknowledged))])
		}
		random.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
		crash := moment{count: 1 + random.Int64N(int64(max(1, len(all)/rounds))), begun: random.IntN(2) == 0}
		crash.count = min(crash.count, int64(len(work)))
		got, failed := post(t, n, work, crash)
		acknowledged, open = distinct(append(acknowledged, got...)), failed
		n.exitCode(t, patience)
		n = serve(t, "--config", config)
		t.Logf("killed after %d batches; ready again after %s", len(got), n.awaitReady(t))
		requireEventsOnce(t, n.events(t, msgID), acknowledged)
	}
	_, failed := post(t, n, open, moment{})
	require.Empty(t, failed)
	require.Equal(t, want, funnelTotals(n.report(t, msgID).GetTotal()))
	n.requireRecount(t, msgID, to)

	repeated, failed := post(t, n, all, moment{})
	require.Empty(t, failed)
	require.Len(t, repeated, len(all))
	require.Equal(t, want, funnelTotals(n.report(t, msgID).GetTotal()))
	requireEventsOnce(t, n.events(t, msgID), all)
	n.terminate(t, patience)
}

// moment is when to kill a node: when so many batches are acknowledged, or are on their way; never, if count is 0.
type moment struct {
	count int64
	begun bool
}

// distinct drops batches that are there twice.
func distinct(batches []callbackBatch) []callbackBatch {
	seen := map[*engagelab.CallbackRow]bool{}
	return slices.DeleteFunc(batches, func(b callbackBatch) bool {
		repeated := seen[&b[0]]
		seen[&b[0]] = true
		return repeated
	})
}

type callbackBatch []engagelab.CallbackRow

// callbackBatches tells that everybody got the push, every second one saw it and every fourth one clicked, in rows that are
// numbered by device and status; and the counts that this makes.
func callbackBatches(t *testing.T, lab *engageLab, to []string) (batches []callbackBatch, counts sandbox.Totals) {
	t.Helper()
	var rows []engagelab.CallbackRow
	counts.Targets = len(to)
	for i, d := range lab.awaitDevices(t, to, 1) {
		for _, milestone := range []struct {
			every  int
			status string
			count  *int
		}{
			{1, "sent", &counts.Sent}, {1, "delivered", &counts.Delivered},
			{2, "impression", &counts.Displayed}, {4, "click", &counts.Clicked},
		} {
			if i%milestone.every == 0 {
				rows = append(rows, callbackRow(d.Messages[0].MsgID, d.RegistrationID, milestone.status))
				*milestone.count++
			}
		}
	}
	for batch := range slices.Chunk(rows, rowsPerBatch) {
		batches = append(batches, batch)
	}
	return batches, counts
}

// requireEventsOnce requires that every acknowledged row is among the events, and that no row is there twice.
func requireEventsOnce(t *testing.T, events []*susulv1.Event, acknowledged []callbackBatch) {
	t.Helper()
	type row struct{ device, milestone string }
	stored := make(map[row]bool, len(events))
	for _, event := range events {
		r := row{event.GetCallback().GetRegistrationId(), event.GetMilestone().String()}
		require.False(t, stored[r], "%v is there twice", r)
		stored[r] = true
	}
	milestones := map[string]susulv1.Milestone{
		"sent": susulv1.Milestone_MILESTONE_SENT, "delivered": susulv1.Milestone_MILESTONE_DELIVERED,
		"impression": susulv1.Milestone_MILESTONE_DISPLAYED, "click": susulv1.Milestone_MILESTONE_CLICKED,
	}
	for _, batch := range acknowledged {
		for _, r := range batch {
			require.True(t, stored[row{r.To, milestones[r.Status.MessageStatus].String()}], "lost: %v", r)
		}
	}
}

// post reports batches over many connections, and kills the node at the given moment. What was not acknowledged may have
// been stored or not.
func post(t *testing.T, n *node, batches []callbackBatch, crash moment) (acknowledged, failed []callbackBatch) {
	t.Helper()
	queue := make(chan callbackBatch, len(batches))
	for _, batch := range batches {
		queue <- batch
	}
	close(queue)
	var (
		begun, done atomic.Int64
		mu          sync.Mutex
		posts       sync.WaitGroup
	)
	for range reporters {
		posts.Go(func() {
			for batch := range queue {
				if begun.Add(1) == crash.count && crash.begun {
					n.kill()
				}
				got, err := n.postCallbacks(batch)
				ok := err == nil && got.status == http.StatusOK
				if ok && done.Add(1) == crash.count && !crash.begun {
					n.kill()
				}
				if !ok && crash == (moment{}) {
					t.Logf("a batch was not taken: status %d, %s, error %v", got.status, got.body, err)
				}
				mu.Lock()
				if ok {
					acknowledged = append(acknowledged, batch)
				} else {
					failed = append(failed, batch)
				}
				mu.Unlock()
			}
		})
	}
	posts.Wait()
	return acknowledged, failed
}

// Guarantee 3, where it is hardest: EngageLab has taken a dispatch and Susul is killed before it learns of it. The node is
// killed so with the first dispatch, when its caller waits for an answer, and with a later one, when others are under way.
func TestKillWhileDispatchingSendsToNobodyTwice(t *testing.T) {
	lab := startSandbox(t, obedient()...)
	victims := make(chan *node, 1)
	var arrived atomic.Int64
	url := lab.behind(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch arrived.Add(1) {
			case 1, 4:
				next.ServeHTTP(httptest.NewRecorder(), r)
				(<-victims).crash()
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	config := writeSettings(t, baseSettings(t.TempDir(), url))
	to := people("once", killPeople)
	push := newsDocument(t, "once", to)

	n := serve(t, "--config", config)
	n.awaitReady(t)
	victims <- n
	_, err := n.try(http.MethodPost, "/v4/push", push, nil)
	require.Error(t, err, "the node was killed before it could answer")
	n = serve(t, "--config", config) // goes on with the push
	victims <- n
	n.exitCode(t, patience)
	n = serve(t, "--config", config)
	n.awaitReady(t)
	got, err := n.try(http.MethodPost, "/v4/push", push, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	msgID := readMsgID(t, got.body)
	n.awaitSent(t, msgID)

	for _, d := range lab.awaitDevices(t, to, 1) {
		require.Len(t, messages(t, d, msgID), 1)
	}
	repeats := map[string]int{}
	for _, cid := range lab.cids(t) {
		repeats[cid]++
	}
	require.Len(t, repeats, killPeople/1000)
	require.Equal(t, 2, repeats[fmt.Sprintf("%s-0-0", msgID)], "the first dispatch was repeated with its cid")
	n.terminate(t, patience)
}
