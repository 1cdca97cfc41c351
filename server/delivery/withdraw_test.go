package delivery_test

import (
	"context"
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

// reporting is a store that says when a report was made.
type reporting struct {
	storage.Store
	made chan struct{}
}

func (r reporting) Report(ctx context.Context, app string, id int64) (storage.Report, error) {
	report, err := r.Store.Report(ctx, app, id)
	r.made <- struct{}{}
	return report, err
}

// Many dispatches may be on their way while a push is withdrawn. The last of them takes back what they sent, not each of them.
func TestManyDispatchesThatCrossTheWithdrawal(t *testing.T) {
	h := newHouse(t)
	h.stop()
	plain, made := h.store, make(chan struct{}, 100)
	h.store = reporting{plain, made}
	h.start()
	defer func() { h.store = plain }()
	reached := make(chan sending, 2)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	h.engageLab.hook(nil, func(s sending) error {
		if s.ids[0] != "r0" {
			reached <- s
			<-release
		}
		return nil
	})
	push, first := h.push(3000, nil)
	<-reached
	<-reached
	_, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, []string{first.upstream}, h.engageLab.withdrawn)
	for range 2 {
		release <- struct{}{}
		select {
		case <-made:
		case <-time.After(patience):
			require.Fail(t, "a dispatch ended, and nobody asked whether it was the last")
		}
	}
	h.stop()
	require.Len(t, h.engageLab.withdrawn, 1+3)
	got, err := h.service.GetPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawn, got.State)
}

// What EngageLab does not take of a push that was withdrawn meanwhile is not tried again: then the withdrawal is complete.
func TestADispatchThatIsNotTakenCompletesTheWithdrawal(t *testing.T) {
	h := newHouse(t)
	reached, release := make(chan struct{}), make(chan struct{})
	h.engageLab.hook(func(s sending) error {
		if s.ids[0] == "r0" {
			return nil
		}
		close(reached)
		<-release
		return errBusy
	}, nil)
	push, first := h.push(1001, nil)
	<-reached
	_, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	close(release)
	h.settled(push)
	h.stop()
	require.Equal(t, []string{first.upstream, first.upstream}, h.engageLab.withdrawn)
	got, err := h.service.GetPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawn, got.State)
}
