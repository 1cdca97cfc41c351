package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	// relayKillsEnv says how often to crash while events are relayed, if not defaultRelayKills times.
	relayKillsEnv     = "SUSUL_TEST_RELAY_KILLS"
	defaultRelayKills = 5

	relayPushes = 4
	relayPeople = 150 // of each push, for each crash

	// relayTimeout is how long a receiver has, in real time; relaySpeed makes ten minutes of retries a few seconds.
	relayTimeout = 500 * time.Millisecond
	relaySpeed   = 200
)

// Guarantee 6: every event reaches each of its receivers at least once, in order per push, though one of them fails, hangs, resets,
// is slow and redirects, another is dead, and the relay's process is killed again and again. Those that are well notice nothing.
func TestEventsReachTheirReceiversWhateverBreaks(t *testing.T) {
	rounds := fromEnvironment(t, relayKillsEnv, defaultRelayKills)
	lab := startSandbox(t, obedient()...)
	var trapped atomic.Int64
	trap := startReceiver(t, "", testCallbackSecret, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { trapped.Add(1) })
	})
	well := startReceiver(t, "", testCallbackSecret, nil)
	moods := newMoods(t, trap.URL)
	var moody *receiver
	moody = startReceiver(t, "", testCallbackSecret, moods.before(&moody))
	coupons := startReceiver(t, "", couponSecret, nil)
	deadAddress := freeAddress(t)

	settings := baseSettings(t.TempDir(), lab.url)
	settings["relay"] = map[string]any{"allow_private_networks": true, "timeout": relayTimeout.String()}
	settings["clock"] = map[string]any{"speed": relaySpeed}
	config := writeSettings(t, settings)
	n := serve(t, "--config", config)
	n.awaitReady(t)
	n.subscribeToClicks(t, coupons.URL)

	var pushes []relayedPush
	for i := range relayPushes {
		pushes = append(pushes, n.sendRelayed(t, lab, people("relay"+strconv.Itoa(i), rounds*relayPeople),
			well.URL+"/events", moody.URL+"/events", "http://"+deadAddress+"/events"))
	}
	var open []callbackBatch
	for _, push := range pushes {
		open = append(open, push.batches...)
	}
	random := rand.New(rand.NewPCG(5, 6))
	random.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	for round := range rounds {
		work := open[:len(open)/(rounds-round)]
		_, failed := post(t, n, work, moment{count: 1 + random.Int64N(int64(len(work))), begun: random.IntN(2) == 0})
		open = append(failed, open[len(work):]...)
		n.exitCode(t, patience)
		n = serve(t, "--config", config)
		t.Logf("killed when %d batches were left; ready again after %s", len(open), n.awaitReady(t))
		stored := n.storedOf(t, pushes)
		eventually(t, "the receiver that is well has every event", func() bool { return well.count() == stored })
	}
	_, failed := post(t, n, open, moment{})
	require.Empty(t, failed)
	stored := n.storedOf(t, pushes)
	eventually(t, "the receiver that is well has every event", func() bool { return well.count() == stored })
	n.requireDead(t, "http://"+deadAddress+"/events")

	moods.cure()
	dead := startReceiver(t, deadAddress, testCallbackSecret, nil)
	n.resume(t, moody.URL+"/events")
	n.resume(t, "http://"+deadAddress+"/events")
	eventually(t, "the others have every event", func() bool { return moody.count() == stored && dead.count() == stored })
	moods.tell()
	for _, push := range pushes {
		events, clicks := n.sequences(t, push.msgID)
		require.Equal(t, events, well.taken(push.msgID))
		require.Equal(t, events, moody.taken(push.msgID))
		require.Equal(t, events, dead.taken(push.msgID))
		eventually(t, "the subscriber has every click", func() bool { return len(coupons.taken(push.msgID)) == len(clicks) })
		require.Equal(t, clicks, coupons.taken(push.msgID))
	}
	t.Logf("rows that came again: well %d, moody %d, dead %d, subscriber %d", well.requireSound(t), moody.requireSound(t),
		dead.requireSound(t), coupons.requireSound(t))
	require.Zero(t, trapped.Load(), "a redirect was followed")
	n.terminate(t, patience)
}

// relayedPush is a push whose events are relayed, and what is to be reported of it.
type relayedPush struct {
	msgID   string
	batches []callbackBatch
}

// sendRelayed sends a push with callback URLs and waits until EngageLab has it.
func (n *node) sendRelayed(t *testing.T, lab *engageLab, to []string, urls ...string) (p relayedPush) {
	t.Helper()
	var document map[string]any
	require.NoError(t, json.Unmarshal(newsDocument(t, "", to), &document))
	delete(document, "request_id")
	document["callback_url"] = urls
	body, err := json.Marshal(document)
	require.NoError(t, err)
	got, err := n.try(http.MethodPost, "/v4/push", body, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	p.msgID = readMsgID(t, got.body)
	n.awaitSent(t, p.msgID)
	p.batches, _ = callbackBatches(t, lab, to)
	return p
}

// storedOf counts the events of pushes.
func (n *node) storedOf(t *testing.T, pushes []relayedPush) (count int) {
	t.Helper()
	for _, push := range pushes {
		count += len(n.events(t, push.msgID))
	}
	return count
}

// sequences returns the sequences of a push's events, and those of its clicks.
func (n *node) sequences(t *testing.T, msgID string) (all, clicks []int64) {
	t.Helper()
	for _, event := range n.events(t, msgID) {
		all = append(all, event.GetSequence())
		if event.GetMilestone() == susulv1.Milestone_MILESTONE_CLICKED {
			clicks = append(clicks, event.GetSequence())
		}
	}
	return all, clicks
}

const couponSecret = "the-coupon-service's-own-secret"

// subscribeToClicks has clicks posted to a URL, in the name of the app's callbacks.
func (n *node) subscribeToClicks(t *testing.T, url string) {
	t.Helper()
	_, err := n.callbacks.CreateSubscription(t.Context(), &susulv1.CreateSubscriptionRequest{
		Parent: "apps/" + testApp, SubscriptionId: "coupons",
		Subscription: &susulv1.Subscription{
			Url: url, Username: testCallbackUser, Secrets: []string{couponSecret},
			Filter: `event.milestone == "CLICKED" && custom_args.kind == "news"`,
		},
	})
	require.NoError(t, err)
}

// endpoint returns the relay endpoint of a URL.
func (n *node) endpoint(t *testing.T, url string) *susulv1.RelayEndpoint {
	t.Helper()
	got, err := n.relays.ListRelayEndpoints(t.Context(), &susulv1.ListRelayEndpointsRequest{Parent: "apps/" + testApp})
	require.NoError(t, err)
	for _, endpoint := range got.GetRelayEndpoints() {
		if endpoint.GetUrl() == url {
			return endpoint
		}
	}
	require.Failf(t, "there is no such endpoint", "%s among %v", url, got)
	return nil
}

// requireDead requires that an endpoint is known to be dead, and how far it is behind.
func (n *node) requireDead(t *testing.T, url string) {
	t.Helper()
	endpoint := n.endpoint(t, url)
	require.Contains(t, []susulv1.RelayEndpointState{
		susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_OPEN, susulv1.RelayEndpointState_RELAY_ENDPOINT_STATE_FAILING,
	}, endpoint.GetState())
	require.Positive(t, endpoint.GetLagEvents())
	require.Contains(t, endpoint.GetLastError(), "refused")
	require.Zero(t, endpoint.GetDeliveredEventCount())
	require.NotNil(t, endpoint.GetNextAttemptTime())
}

// resume has an endpoint tried at once.
func (n *node) resume(t *testing.T, url string) {
	t.Helper()
	_, err := n.relays.ResumeRelayEndpoint(t.Context(), &susulv1.ResumeRelayEndpointRequest{Name: n.endpoint(t, url).GetName()})
	require.NoError(t, err)
}
