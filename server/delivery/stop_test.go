package delivery_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/storage"
)

// stopping is a store in whose first claim that gets something the service is told to stop.
type stopping struct {
	storage.Store
	stop chan struct{} // a signal to stop
	told chan struct{} // closed when that has happened
}

func (s *stopping) ClaimDispatches(ctx context.Context, req storage.ClaimRequest) ([]storage.Claim, error) {
	claims, err := s.Store.ClaimDispatches(ctx, req)
	if len(claims) > 0 {
		s.stop <- struct{}{}
		<-s.told
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return claims, err
}

// What a node has claimed as it stops, it sends: nobody else would before the claim's lease has run out.
func TestWhatWasClaimedDuringAStopIsSent(t *testing.T) {
	h := newHouse(t)
	h.stop()
	claiming := &stopping{Store: h.store, stop: make(chan struct{}), told: make(chan struct{})}
	inner := h.store
	h.store = claiming
	ctx, cancel := context.WithCancel(t.Context())
	service := delivery.New(h.options())
	ran := make(chan error, 1)
	go func() { ran <- service.Run(ctx) }()
	accepted := make(chan error, 1)
	go func() {
		_, err := service.CreatePush(t.Context(), h.request(2, nil))
		accepted <- err
	}()
	<-claiming.stop
	cancel()
	close(claiming.told)
	require.NoError(t, <-ran)
	require.NoError(t, <-accepted)
	require.Len(t, h.next().ids, 2)
	h.store = inner
}
