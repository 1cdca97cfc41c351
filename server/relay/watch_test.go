package relay

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// watching is a relay whose feed takes its steps when the test says so, and a watcher.
type watching struct {
	*require.Assertions
	log    *memoryLog
	relay  *Relay
	clock  *clockwork.FakeClock
	told   chan watched
	cancel func()
	done   chan error
}

type watched struct {
	event   int64 // 0 for none
	through int64
}

func newWatching(t *testing.T, from int64, commit func(*memoryLog)) *watching {
	t.Helper()
	w := &watching{Assertions: require.New(t), log: newMemoryLog(), clock: clockwork.NewFakeClock(), done: make(chan error, 1)}
	commit(w.log)
	w.relay = New(Options{Store: w.log, Clock: w.clock, Logger: slog.New(slog.DiscardHandler)})
	w.relay.feed.start(from)
	return w
}

// watch begins to watch.
func (w *watching) watch(t *testing.T, q WatchQuery) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	w.told = make(chan watched, 10_000)
	w.cancel = cancel
	go func() {
		w.done <- w.relay.Watch(ctx, q, func(e *storage.Event, _ *subscription.Push, through int64) error {
			told := watched{through: through}
			if e != nil {
				told.event = e.Sequence
			}
			w.told <- told
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		w.ErrorIs(<-w.done, context.Canceled)
		w.Empty(w.told, "nothing else was told")
	})
}

func (w *watching) step(t *testing.T) {
	t.Helper()
	_, err := w.relay.feed.step(t.Context())
	w.NoError(err)
}

// take returns the next events that are told.
func (w *watching) take(n int) (sequences []int64) {
	for range n {
		told := <-w.told
		w.Equal(told.event, told.through)
		sequences = append(sequences, told.event)
	}
	return sequences
}

func TestWatchTellsAllAndGoesOn(t *testing.T) {
	w := newWatching(t, 3000, func(log *memoryLog) {
		log.commit("a", 1, 0, 2500)
		log.commit("b", 2, 0, 1000)
		log.commit("a", 1, 0, 2)
	})
	w.watch(t, WatchQuery{App: "a", After: 100})
	w.Equal(w.log.of("a", 100, 2500), w.take(2400))
	w.step(t)
	w.Equal([]int64{3501, 3502}, w.take(2))
	w.log.commit("a", 3, 0, 1)
	w.step(t)
	w.Equal([]int64{3503}, w.take(1))
}

func TestWatchOfAPush(t *testing.T) {
	w := newWatching(t, 100_000, func(log *memoryLog) {
		log.commit("a", 1, 0, 3*watchPage)
		log.commit("a", 2, 0, 98_000)
		log.commit("b", 1, 0, 10) // not the app's
		log.commit("a", 1, 0, 700)
	})
	w.watch(t, WatchQuery{App: "a", PushID: 1, After: 1})
	w.Len(w.take(3*watchPage-1+490), 3*watchPage-1+490) // the feed is at 100,000
	w.Less(w.log.lists, 10, "pages are not looked through for a push")
	w.step(t)
	w.take(210)
	w.log.commit("a", 2, 0, 1)
	w.log.commit("a", 1, 0, 1)
	w.step(t)
	w.Equal([]int64{w.log.sequence}, w.take(1))
}

func TestWatchFilters(t *testing.T) {
	filter, err := subscription.CompileFilter(`event.registration_id.endsWith("7") && push.msg_id == "2"`)
	require.NoError(t, err)
	w := newWatching(t, 40, func(log *memoryLog) {
		log.commit("a", 1, 0, 20)
		log.commit("a", 2, 0, 20)
	})
	w.watch(t, WatchQuery{App: "a", Filter: filter})
	w.Equal([]int64{27, 37}, w.take(2))
	w.log.commit("a", 2, 0, 10)
	w.step(t)
	w.Equal([]int64{47}, w.take(1))

	broken, err := subscription.CompileFilter(`custom_args.level > 3`)
	require.NoError(t, err)
	other := *w
	other.done = make(chan error, 1)
	other.watch(t, WatchQuery{App: "a", Filter: broken})
	w.NoError(w.clock.BlockUntilContext(t.Context(), 2), "both have seen all: %v", other.told)
}

// Who is told nothing for a while is told how far the stream came.
func TestWatchTellsProgress(t *testing.T) {
	never, err := subscription.CompileFilter(`event.step == 11`)
	require.NoError(t, err)
	w := newWatching(t, 5, func(log *memoryLog) { log.commit("a", 1, 0, 5) })
	w.watch(t, WatchQuery{App: "a", Filter: never, After: 5})
	for _, commit := range []func(){
		func() { w.log.commit("a", 1, 0, 3) },
		func() { w.log.commit("b", 2, 0, 3); w.log.commit("a", 2, 0, 1) },
	} {
		commit()
		w.step(t)
		w.NoError(w.clock.BlockUntilContext(t.Context(), 1))
		w.clock.Advance(watchProgress - 1)
		w.Empty(w.told)
		w.clock.Advance(1)
		w.Equal(watched{through: w.log.sequence}, <-w.told)
	}
	w.clock.Advance(10 * watchProgress)
	w.log.commit("a", 1, 0, 1)
	w.step(t)
	w.Equal(watched{through: w.log.sequence}, <-w.told, "it was due")
}

func TestWatchEnds(t *testing.T) {
	w := newWatching(t, 1, func(log *memoryLog) { log.commit("a", 1, 0, 1) })
	refused := errors.New("no more")
	tell := func(*storage.Event, *subscription.Push, int64) error { return refused }
	w.ErrorIs(w.relay.Watch(t.Context(), WatchQuery{App: "a"}, tell), refused)
	w.log.fail = 1
	w.ErrorIs(w.relay.Watch(t.Context(), WatchQuery{App: "a", PushID: 1}, tell), storage.ErrUnavailable)
	close(w.relay.feed.ended)
	w.ErrorIs(w.relay.Watch(t.Context(), WatchQuery{App: "a", After: 1}, tell), ErrEnded)

	never := New(Options{Store: newMemoryLog(), Clock: w.clock, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.ErrorIs(never.Watch(ctx, WatchQuery{App: "a"}, tell), context.Canceled)
	close(never.ended)
	w.ErrorIs(never.Watch(t.Context(), WatchQuery{App: "a"}, tell), ErrEnded)
}

// Whoever watches, from wherever, is told all that is selected, once and in order, while events come.
func TestWatchUnderIngest(t *testing.T) {
	t.Run("where events are relayed", func(t *testing.T) {
		watchUnderIngest(t, func(s Store) eventSource {
			return New(Options{Store: s, Apps: map[string]App{"app": {}}, Clock: clockwork.NewRealClock(), Logger: slog.New(slog.DiscardHandler)})
		})
	})
	t.Run("elsewhere", func(t *testing.T) {
		watchUnderIngest(t, func(s Store) eventSource {
			return NewWatcher(WatcherOptions{Store: s, Clock: clockwork.NewRealClock(), Logger: slog.New(slog.DiscardHandler)})
		})
	})
}

// eventSource is a Relay or a Watcher.
type eventSource interface {
	Run(ctx context.Context) error
	Watch(ctx context.Context, q WatchQuery, tell Tell) error
}

func watchUnderIngest(t *testing.T, source func(Store) eventSource) {
	t.Helper()
	const devices = 500
	s := openStore(t)
	r := source(s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	running := make(chan error, 1)
	go func() { running <- r.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-running)
	}()
	clicked, err := subscription.CompileFilter(`event.milestone == "CLICKED"`)
	require.NoError(t, err)
	var ingest errgroup.Group
	for push := int64(1); push <= 2; push++ {
		upstream := createPush(t, s, "app", push, devices)
		ingest.Go(func() error {
			for rows := callbacks(upstream, devices); len(rows) > 0; rows = rows[50:] {
				if _, err := s.RecordCallbacks(ctx, "app", time.Now(), rows[:50]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	complete := errors.New("all was told")
	var watchers errgroup.Group
	for i := range 30 {
		q := WatchQuery{App: "app", PushID: int64(i % 3)}
		want := 4 * devices
		if q.PushID == 0 {
			want *= 2
		}
		if i%2 == 0 {
			q.Filter = clicked
			want /= 4
		}
		watchers.Go(func() error {
			n, at := 0, int64(0)
			err := r.Watch(ctx, q, func(e *storage.Event, _ *subscription.Push, through int64) error {
				if e == nil {
					return nil
				}
				if e.Sequence <= at || through != e.Sequence || q.PushID != 0 && e.PushID != q.PushID ||
					q.Filter != nil && e.Milestone != storage.Clicked {
					return errors.New("a wrong event")
				}
				at = e.Sequence
				if n++; n == want {
					return complete
				}
				return nil
			})
			if !errors.Is(err, complete) {
				return err
			}
			return nil
		})
	}
	require.NoError(t, ingest.Wait())
	require.NoError(t, watchers.Wait())
}
