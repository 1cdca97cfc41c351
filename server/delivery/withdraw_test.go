package delivery_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/storage"
)

func TestWithdrawTakesBackAndCancels(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, s := h.push(2, nil)
	withdrawn, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawn, withdrawn.State)
	require.Equal(t, []string{s.upstream}, h.engageLab.withdrawn)

	h.pass(3 * time.Hour)
	require.Len(t, h.engageLab.sendings, 1)
	_, err = h.service.WithdrawPush(t.Context(), app, push.ID)
	require.ErrorIs(t, err, storage.ErrConflict)
	_, err = h.service.WithdrawPush(t.Context(), app, push.ID+1)
	require.ErrorIs(t, err, storage.ErrNotFound)
}

func TestWithdrawIsRepeatedUntilEngageLabAnswers(t *testing.T) {
	h := newHouse(t)
	push, s := h.push(1, nil)
	h.engageLab.onWithdraw = func(string) error { return errDown }
	_, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	require.ErrorIs(t, err, delivery.ErrEngageLabUnavailable)
	got, err := h.service.GetPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawing, got.State)

	h.engageLab.onWithdraw = nil
	_, err = h.service.WithdrawPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, []string{s.upstream}, h.engageLab.withdrawn)
}

func TestEngageLabsRefusalToWithdrawIsTold(t *testing.T) {
	h := newHouse(t)
	push, _ := h.push(1, nil)
	h.engageLab.onWithdraw = func(string) error { return errRefused }
	_, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	var refused *delivery.RefusedError
	require.ErrorAs(t, err, &refused)
	got, err := h.service.GetPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawn, got.State, "nothing more goes out, whatever EngageLab says")
}

// A request that is on its way to EngageLab while its push is withdrawn is taken back when its answer comes.
func TestADispatchThatCrossesTheWithdrawalIsTakenBack(t *testing.T) {
	h := newHouse(t)
	reached, release := make(chan struct{}), make(chan struct{})
	h.engageLab.hook(nil, func(sending) error {
		close(reached)
		<-release
		return nil
	})
	created := make(chan storage.Push, 1)
	go func() {
		push, err := h.service.CreatePush(t.Context(), h.request(1, nil))
		if err == nil {
			created <- push
		}
	}()
	<-reached
	pushes, err := h.service.ListPushes(t.Context(), storage.PushQuery{App: app, Limit: 1})
	require.NoError(t, err)
	_, err = h.service.WithdrawPush(t.Context(), app, pushes[0].ID)
	require.NoError(t, err)
	require.Empty(t, h.engageLab.withdrawn)
	close(release)
	<-created
	h.settled(pushes[0])
	h.stop() // waits for what follows the dispatch
	require.Equal(t, []string{h.next().upstream}, h.engageLab.withdrawn)
}
