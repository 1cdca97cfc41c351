package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/clock"
	"susul.dev/susul/server/config"
	"susul.dev/susul/server/servertest"
)

// A receiver that is down for longer than events are tried gets dead letters, at a thousand times the speed.
func TestDeadLetters(t *testing.T) {
	shop := newBusiness(t)
	shop.answer(http.StatusBadGateway)
	w := world{secrets: &[]string{}}
	w.faces = faces{servertest.Start(t, servertest.Options{Clock: clock.Scaled(1000), Configure: func(cfg *config.Config) {
		cfg.Relay.AllowPrivateNetworks, cfg.Relay.MaxAge = true, 30*time.Minute
	}})}
	const events = 4 // that the sandbox reports: sent and delivered, of two devices
	names := make([]string, 3)
	for i := range names {
		push := pushTo("dead "+strconv.Itoa(i), "a", "b")
		push.CallbackUrls = []string{shop.URL + "/" + strconv.Itoa(i)}
		w.create(t, app, push)
	}
	letters := make([]*susulv1.DeadLetter, len(names))
	for i := range names {
		address := shop.URL + "/" + strconv.Itoa(i)
		require.Eventually(t, func() bool { names[i] = w.nameAt(t, address); return names[i] != "" }, patience, 10*time.Millisecond)
		letters[i] = w.letters(t, names[i], events)[0]
		require.Regexp(t, `^`+names[i]+`/deadLetters/[1-9][0-9]*$`, letters[i].GetName())
		require.LessOrEqual(t, letters[i].GetFirstSequence(), letters[i].GetLastSequence())
		require.Contains(t, letters[i].GetLastError(), "502")
		require.Positive(t, letters[i].GetFailureCount())
		require.GreaterOrEqual(t, letters[i].GetCreateTime().AsTime().Sub(letters[i].GetFailingSince().AsTime()), 30*time.Minute)
		require.Positive(t, w.endpointOf(t, names[i]).GetDeadLetterCount())
	}
	listed := w.alike(t, asApp, &susulv1.ListDeadLettersRequest{Parent: names[0], PageSize: 1}).(*susulv1.ListDeadLettersResponse)
	require.True(t, proto.Equal(letters[0], listed.GetDeadLetters()[0]))

	for _, letter := range w.letters(t, names[0], events) {
		forget := &susulv1.DeleteDeadLetterRequest{Name: letter.GetName()}
		_, outcome := w.rest(t, asApp, forget)
		require.Zero(t, outcome)
		require.Equal(t, forget.GetName(), w.refuses(t, asApp, forget, missing).Metadata["resource"])
	}
	require.Zero(t, w.endpointOf(t, names[0]).GetDeadLetterCount())

	shop.answer(http.StatusNoContent)
	replay := &susulv1.ReplayEventsRequest{Parent: names[1], DeadLetter: letters[1].GetName()}
	_, outcome := w.rest(t, asApp, replay)
	require.Zero(t, outcome)
	require.Equal(t, replay.GetDeadLetter(), w.refuses(t, asApp, replay, missing).Metadata["resource"], "it is one no more")
	_, outcome = w.grpc(t, asApp, &susulv1.ResumeRelayEndpointRequest{Name: names[1]})
	require.Zero(t, outcome)
	for _, event := range shop.await(t, int(letters[1].GetEventCount())) {
		sequence, _, _ := strings.Cut(event, ":")
		n, err := strconv.ParseInt(sequence, 10, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, letters[1].GetFirstSequence())
		require.LessOrEqual(t, n, letters[1].GetLastSequence())
	}
}

// letters waits until so many events of an endpoint of App's are dead letters, and returns these.
func (w world) letters(t testing.TB, name string, events int64) (found []*susulv1.DeadLetter) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, err := w.Relays.ListDeadLetters(servertest.AsApp(t.Context()), &susulv1.ListDeadLettersRequest{Parent: name})
		require.NoError(t, err)
		found = resp.GetDeadLetters()
		var total int64
		for _, letter := range found {
			total += letter.GetEventCount()
		}
		require.LessOrEqual(t, total, events)
		return total == events
	}, patience, 10*time.Millisecond)
	return found
}

// nameAt returns the name of the endpoint of a callback URL of App's; empty if there is none.
func (w world) nameAt(t testing.TB, url string) string {
	t.Helper()
	resp, err := w.Relays.ListRelayEndpoints(servertest.AsApp(t.Context()), &susulv1.ListRelayEndpointsRequest{Parent: app})
	require.NoError(t, err)
	for _, found := range resp.GetRelayEndpoints() {
		if found.GetUrl() == url {
			return found.GetName()
		}
	}
	return ""
}

// endpointOf is endpoint for one whose figures change all the time.
func (w world) endpointOf(t testing.TB, name string) *susulv1.RelayEndpoint {
	t.Helper()
	resp, err := w.Relays.GetRelayEndpoint(servertest.AsAdmin(t.Context()), &susulv1.GetRelayEndpointRequest{Name: name})
	require.NoError(t, err)
	return resp.GetRelayEndpoint()
}
