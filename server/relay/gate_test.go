package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// gateRig is a gate before a store whose answers may fail.
type gateRig struct {
	*Gate
	memoryStore
	real, clock *clockwork.FakeClock
	reads       int
	failure     error
}

func newGateRig() *gateRig {
	r := &gateRig{memoryStore: newMemoryStore(), real: clockwork.NewFakeClock(), clock: clockwork.NewFakeClock()}
	r.Gate = NewGate(r, r.clock)
	r.Gate.real = r.real
	return r
}

func (r *gateRig) ListRelayEndpoints(ctx context.Context, after storage.RelayEndpointKey, limit int) ([]storage.RelayEndpoint, error) {
	r.reads++
	if r.failure != nil {
		return nil, r.failure
	}
	return r.memoryStore.ListRelayEndpoints(ctx, after, limit)
}

// save stores endpoints of URLs from one number to before another.
func (r *gateRig) save(app string, from, to int) {
	for i := from; i < to; i++ {
		id, address := urlEndpointID(gateURL(i))
		key := storage.RelayEndpointKey{App: app, ID: id}
		r.endpoints[key] = storage.RelayEndpoint{RelayEndpointKey: key, URL: address}
	}
}

func gateURL(i int) string { return fmt.Sprintf("https://%d.example/?key=1", i) }

func TestAGateBoundsTheURLsOfAnApp(t *testing.T) {
	r, ctx := newGateRig(), t.Context()
	for _, key := range []storage.RelayEndpointKey{{App: "a", ID: "sub-x"}, {App: "before", ID: "url-x"}, {App: "z", ID: "url-x"}} {
		r.endpoints[key] = storage.RelayEndpoint{RelayEndpointKey: key} // they don't count
	}
	r.save("app", 0, maxURLEndpoints-2)
	require.NoError(t, r.Accepts(ctx, "app", nil))
	require.Zero(t, r.reads)
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(0), gateURL(5)}))
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(5000)}))
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(5000), strings.TrimSuffix(gateURL(5000), "1") + "2"}), "it is the same endpoint")
	require.Equal(t, 1, r.reads, "the store is not asked each time")
	require.ErrorIs(t, r.Accepts(ctx, "app", []string{gateURL(5001), gateURL(5002)}), ErrTooManyEndpoints)
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(5001)}))
	require.ErrorIs(t, r.Accepts(ctx, "app", []string{gateURL(5003)}), ErrTooManyEndpoints)
	require.NoError(t, r.Accepts(ctx, "z", []string{gateURL(5003)}))

	// Another node's endpoint came and ours came true; one that made room counts no more, as soon as the gate looks again.
	r.save("app", 5000, 5001)
	id, _ := urlEndpointID(gateURL(0))
	delete(r.endpoints, storage.RelayEndpointKey{App: "app", ID: id})
	require.ErrorIs(t, r.Accepts(ctx, "app", []string{gateURL(5003)}), ErrTooManyEndpoints)
	r.real.Advance(gateFull)
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(5003)}))
	require.ErrorIs(t, r.Accepts(ctx, "app", []string{gateURL(5004)}), ErrTooManyEndpoints)

	// A promise of which nothing came counts for a day.
	r.clock.Advance(promiseFor + time.Second)
	r.real.Advance(gateFull)
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(5004)}))
}

func TestAGateThatDoesNotKnowSaysSo(t *testing.T) {
	r, ctx := newGateRig(), t.Context()
	r.failure = errors.New("no answer")
	require.ErrorIs(t, r.Accepts(ctx, "app", []string{gateURL(0)}), r.failure)
	r.failure = nil
	r.save("app", 0, 1)
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(1)}))
	r.real.Advance(gateStale)
	r.failure = errors.New("no answer")
	require.NoError(t, r.Accepts(ctx, "app", []string{gateURL(0), gateURL(1)}), "these are known")
	require.ErrorIs(t, r.Accepts(ctx, "app", []string{gateURL(2)}), r.failure)
}

// What nodes accept beyond what an app may have makes room of itself, where endpoints are idle.
func TestARelayThinsOutWhatOtherNodesAccepted(t *testing.T) {
	r := newRig(t)
	long := r.clock.Now().Add(-30 * 24 * time.Hour)
	for i := range maxURLEndpoints + 10 {
		key := storage.RelayEndpointKey{App: testApp, ID: fmt.Sprintf("url-%d", i)}
		row := storage.RelayEndpoint{RelayEndpointKey: key, State: storage.RelayActive, CreateTime: long}
		if i >= spareURLEndpoints*2 {
			row.LastSuccess = r.clock.Now()
		}
		r.store.endpoints[key] = row
	}
	r.run()
	r.NoError(r.relay.Accepts(t.Context(), testApp, nil))
	r.eventually(func() bool { return len(r.relay.sorted(testApp)) == maxURLEndpoints+10 }, "the endpoints are not loaded")
	r.relay.thinOut()
	r.Len(r.relay.sorted(testApp), maxURLEndpoints-spareURLEndpoints)
	r.relay.thinOut()
	r.Len(r.relay.sorted(testApp), maxURLEndpoints-spareURLEndpoints, "there is room")
}
