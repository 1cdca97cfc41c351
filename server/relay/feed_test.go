package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

// patience bounds waits for what must happen, in real time.
const patience = 30 * time.Second

func openStore(tb testing.TB) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), sqlite.Options{Path: filepath.Join(tb.TempDir(), "susul.db")})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func device(i int) string { return fmt.Sprintf("%019x", i) }

// createPush stores a sent push to so many devices, and returns its upstream id.
func createPush(tb testing.TB, s *sqlite.Store, app string, id int64, devices int) string {
	tb.Helper()
	draft := storage.PushDraft{
		Push: storage.Push{ID: id, App: app, Listed: true, CreateTime: time.Now(), Document: []byte(`{"to":{}}`),
			CallbackURLs: []string{fmt.Sprintf("https://example.com/%d", id)}},
		Dispatches: []storage.DispatchDraft{{DueTime: time.Now()}},
	}
	for i := range devices {
		draft.Recipients = append(draft.Recipients, device(i))
		draft.Dispatches[0].Recipients = append(draft.Dispatches[0].Recipients, uint32(i))
	}
	_, _, err := s.CreatePush(tb.Context(), draft)
	require.NoError(tb, err)
	claims, err := s.ClaimDispatches(tb.Context(), storage.ClaimRequest{App: app, Now: time.Now(), Lease: time.Hour, Limit: 1})
	require.NoError(tb, err)
	require.Len(tb, claims, 1)
	upstream := fmt.Sprintf("up-%d", id)
	_, err = s.FinishDispatch(tb.Context(), storage.DispatchResult{ID: claims[0].Dispatch.ID, Attempt: claims[0].Dispatch.Attempt,
		State: storage.DispatchSent, Time: time.Now(), UpstreamID: upstream})
	require.NoError(tb, err)
	return upstream
}

// callbacks returns one of each milestone for so many devices, in a random order.
func callbacks(upstream string, devices int) []storage.Callback {
	var rows []storage.Callback
	for i := range devices {
		for m := storage.Sent; m <= storage.Clicked; m++ {
			rows = append(rows, storage.Callback{UpstreamID: upstream, RegistrationID: device(i), Milestone: m, Status: m.String(),
				Time: time.Now(), Channel: "FCM"})
		}
	}
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// follow reads until the latest event of the app, once that is known.
func (r *reader) follow(ctx context.Context, f *feed, complete <-chan struct{}, latest *sync.Map) error {
	for {
		changed := f.changed(r.app)
		before := r.position
		if err := r.read(panics{}, f); err != nil {
			return err
		}
		select {
		case <-complete:
			if last, _ := latest.Load(r.app); r.position >= last.(int64) {
				return nil
			}
		default:
		}
		if r.position > before {
			continue
		}
		select {
		case <-changed:
		case <-complete:
		case <-ctx.Done():
			return fmt.Errorf("reader of %s at %d: %w", r.app, r.position, ctx.Err())
		}
	}
}

// panics fails in goroutines that are not the test's.
type panics struct{}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (panics) FailNow()                          { panic("failed") }

// Whoever reads, from wherever, and whenever he begins, sees every event of his app once and in order, while events come and hardly
// anything is cached.
func TestFeedUnderIngest(t *testing.T) {
	for name, cacheBytes := range map[string]int64{"all cached": 64 << 20, "nothing cached": 1} {
		t.Run(name, func(t *testing.T) {
			const pushes, devices = 6, 500
			s := openStore(t)
			apps := []string{"app-a", "app-b"}
			f := newFeed(feedOptions{store: s, logger: slog.New(slog.DiscardHandler), appendRow: testRow, cacheBytes: cacheBytes})
			taken := map[string][]int64{}
			f.onEvents = func(_ context.Context, p *page) error {
				for i := range p.entries {
					taken[p.app] = append(taken[p.app], p.entries[i].Sequence)
				}
				return nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			running := make(chan error, 1)
			following, stop := context.WithCancel(ctx)
			go func() { running <- f.run(following, 0) }()

			var ingest, reading errgroup.Group
			for push := range int64(pushes) {
				upstream := createPush(t, s, apps[push%2], push+1, devices)
				ingest.Go(func() error {
					for rows := callbacks(upstream, devices); len(rows) > 0; {
						n := min(1+rand.IntN(100), len(rows))
						if _, err := s.RecordCallbacks(ctx, apps[push%2], time.Now(), rows[:n]); err != nil {
							return err
						}
						rows = rows[n:]
					}
					return nil
				})
			}
			complete, latest := make(chan struct{}), new(sync.Map)
			readers := make([]*reader, 40)
			for i := range readers {
				r := &reader{app: apps[i%2], began: int64(i/8) * 500}
				r.position = r.began
				readers[i] = r
				reading.Go(func() error {
					for { // an endpoint is not ahead of the feed
						a, b := f.changed(apps[0]), f.changed(apps[1])
						if r.began <= f.head() {
							break
						}
						select {
						case <-a:
						case <-b:
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					return r.follow(ctx, f, complete, latest)
				})
			}
			require.NoError(t, ingest.Wait())
			stored := map[string][]int64{}
			for _, app := range apps {
				var after int64
				for {
					events, err := s.ListEvents(ctx, storage.EventQuery{App: app, After: after})
					require.NoError(t, err)
					if len(events) == 0 {
						break
					}
					for _, e := range events {
						after = e.Sequence
						stored[app] = append(stored[app], after)
					}
				}
				latest.Store(app, after)
				require.Len(t, stored[app], pushes/2*devices*4)
			}
			close(complete)
			require.NoError(t, reading.Wait())
			for _, r := range readers {
				want := stored[r.app]
				for len(want) > 0 && want[0] <= r.began {
					want = want[1:]
				}
				sameEvents(t, want, r.got, "from %d", r.began)
			}
			stop()
			require.NoError(t, <-running)
			require.Equal(t, stored, taken)
		})
	}
}

func TestFeedWaitsOutFailures(t *testing.T) {
	log := newMemoryLog()
	log.commit("a", 1, 0, 3)
	log.fail = 1
	f := quietFeed(log, 0)
	refused := 0
	var got []int64
	f.onEvents = func(_ context.Context, p *page) error {
		if refused < 2 {
			refused++
			return fmt.Errorf("%w: not yet", storage.ErrUnavailable)
		}
		for i := range p.entries {
			got = append(got, p.entries[i].Sequence)
		}
		return nil
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- f.run(ctx, 0) }()
	changed := f.changed("a")
	p, err := f.page(ctx, "a", 0)
	require.NoError(t, err)
	if p == nil {
		select {
		case <-changed:
		case <-ctx.Done():
			require.Fail(t, "no event was seen")
		}
	}
	require.EqualValues(t, 3, f.head())
	stop()
	require.NoError(t, <-done)
	require.Equal(t, []int64{1, 2, 3}, got, "once, although the store and the taker failed")
	require.Equal(t, 2, refused)
}

func TestFeedEndsWhenFenced(t *testing.T) {
	for name, fail := range map[string]func(*feed){
		"the taker": func(f *feed) {
			f.onEvents = func(context.Context, *page) error { return fmt.Errorf("save: %w", storage.ErrFenced) }
		},
		"the store": func(f *feed) { f.store = fencedLog{f.store} },
	} {
		t.Run(name, func(t *testing.T) {
			log := newMemoryLog()
			log.commit("a", 1, 0, 3)
			f := quietFeed(log, 0)
			fail(f)
			require.ErrorIs(t, f.run(t.Context(), 0), storage.ErrFenced)
			require.Zero(t, f.head())
			p, err := f.page(t.Context(), "a", 0)
			require.NoError(t, err)
			require.Nil(t, p)
		})
	}
}

type fencedLog struct{ Store }

func (fencedLog) ListEventRuns(context.Context, int64, int) ([]storage.EventRun, error) {
	return nil, storage.ErrFenced
}

// What nobody wants is not read, and who wants it later reads it.
func TestFeedReadsWhatIsWanted(t *testing.T) {
	log := newMemoryLog()
	log.urls[2] = []string{"https://example.com/a?x=1", "https://example.com/a?x=2", "https://example.com/b"}
	f := quietFeed(log, 0).start(0)
	var stretch *page
	f.onEvents = func(_ context.Context, p *page) error {
		stretch = p
		return nil
	}
	step := func(push int64) {
		log.commit("a", push, 0, 10)
		_, err := f.step(t.Context())
		require.NoError(t, err)
		require.Equal(t, log.sequence, f.head())
		require.Equal(t, f.head(), stretch.through)
		require.Equal(t, f.head()-9, stretch.first)
	}
	step(1)
	require.Empty(t, stretch.entries, "nobody has asked")
	require.Empty(t, stretch.urls)
	require.Zero(t, log.lists)
	require.Empty(t, log.lookUps)
	step(2)
	require.Len(t, stretch.entries, 10, "its push names URLs")
	a, _ := urlEndpointID("https://example.com/a")
	b, _ := urlEndpointID("https://example.com/b")
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	require.Equal(t, map[string][]int{a: all, b: all}, stretch.urls)
	changed := f.changed("a")
	require.Equal(t, 1, log.lists)
	p, err := f.page(t.Context(), "a", 0)
	require.NoError(t, err)
	require.Len(t, p.entries, 20)
	require.Equal(t, map[string][]int{a: {10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, b: {10, 11, 12, 13, 14, 15, 16, 17, 18, 19}}, p.urls)
	require.Equal(t, 2, log.lists)
	step(1)
	require.Len(t, stretch.entries, 10, "somebody has asked")
	<-changed
	p, err = f.page(t.Context(), "a", 20)
	require.NoError(t, err)
	require.Len(t, p.entries, 30)
	require.Equal(t, 3, log.lists, "the page has grown")
	for range askedFor + 2 {
		step(1)
	}
	require.Empty(t, stretch.entries, "that was long ago")
	changed = f.changed("a")
	step(1)
	require.Len(t, stretch.entries, 10, "somebody waits")
	<-changed
	p, err = f.page(t.Context(), "a", f.head()-15)
	require.NoError(t, err)
	require.Equal(t, f.head(), p.last())
}

// Who is behind is not given what the feed has not followed yet, so that endpoints of new URLs come first.
func TestNobodyIsAheadOfTheFeed(t *testing.T) {
	log := newMemoryLog()
	log.commit("a", 1, 0, 10)
	f := quietFeed(log, 0).start(4)
	p, err := f.page(t.Context(), "a", 0)
	require.NoError(t, err)
	require.EqualValues(t, 4, p.through)
	require.Len(t, p.entries, 4)
	p, err = f.page(t.Context(), "a", 4)
	require.NoError(t, err)
	require.Nil(t, p)
	_, err = f.step(t.Context())
	require.NoError(t, err)
	p, err = f.page(t.Context(), "a", 4)
	require.NoError(t, err)
	require.EqualValues(t, 10, p.through)
	require.EqualValues(t, 1, p.first, "what was read and what was followed became one page")
	require.Len(t, p.entries, 10)
}

// A page that is missing is read once for all who want it, and pushes are looked up once.
func TestFeedReadsOnceForAll(t *testing.T) {
	log := newMemoryLog()
	log.commit("a", 1, 0, 3*pageSize)
	f := quietFeed(log, 0).start(log.sequence)
	var group errgroup.Group
	for range 50 {
		group.Go(func() error {
			r := &reader{app: "a"}
			for r.position < f.head() {
				if err := r.read(panics{}, f); err != nil {
					return err
				}
			}
			if len(r.got) != 3*pageSize {
				return errors.New("events are missing")
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	// A reader that came just after a page was cached, but had looked just before, reads it again.
	require.LessOrEqual(t, log.lists, 3*3)
	require.LessOrEqual(t, log.lookUps[1], 3)
}

// What is far away is found without a look at each page between.
func TestFeedJumpsOverEmptyStretches(t *testing.T) {
	log := newMemoryLog()
	log.commit("a", 1, 0, 1)
	log.commit("b", 1, 0, 10_000)
	log.commit("b", 1, 1_000_000_000_000, 1)
	log.commit("a", 1, 0, 1)
	f := quietFeed(log, 0).start(log.sequence)
	first, err := f.page(t.Context(), "a", 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, first.entries[0].Sequence)
	log.lists = 0
	for range 2 {
		p, err := f.page(t.Context(), "a", first.through)
		require.NoError(t, err)
		require.LessOrEqual(t, p.first, first.through+1)
		require.Equal(t, log.sequence, p.last())
	}
	require.Less(t, log.lists, 20, "and nothing at all the second time")
	p, err := f.page(t.Context(), "b", log.sequence-1)
	require.NoError(t, err)
	require.Nil(t, p)
}

// What a page weighs includes its rows, and what is rendered can push others out.
func TestRowsCount(t *testing.T) {
	log := newMemoryLog()
	log.commit("a", 1, 0, 2*pageSize)
	f := quietFeed(log, 0)
	long := make([]byte, 4096)
	f.appendRow = func(dst []byte, _ *storage.Event, _ *subscription.Push) []byte { return append(dst, long...) }
	f.start(log.sequence)
	older, err := f.page(t.Context(), "a", 0)
	require.NoError(t, err)
	_, err = f.page(t.Context(), "a", older.through)
	require.NoError(t, err)
	before := f.shelf.bytes.Load()
	require.Equal(t, 2, f.shelf.recent.Len())
	f.shelf.limit = before + int64(pageSize/2*len(long))
	row := older.row(0)
	require.Len(t, row, len(long))
	require.Same(t, &row[0], &older.row(0)[0], "once for all")
	require.GreaterOrEqual(t, f.shelf.bytes.Load(), before+int64(len(long)))
	require.Less(t, f.shelf.bytes.Load(), before+2*int64(len(long)))
	for i := range older.entries {
		older.row(i)
	}
	require.Equal(t, 1, f.shelf.recent.Len(), "the page that was read last stays")
	require.Less(t, f.shelf.bytes.Load(), before)
}

func TestPushOfAnEvent(t *testing.T) {
	log := newMemoryLog()
	log.urls[1] = []string{"https://example.com/a?x=1", "https://example.com/a?x=2#y", "https://example.com/b"}
	f := quietFeed(log, 0)
	info, err := f.pushes.of(t.Context(), "app", 2)
	require.NoError(t, err)
	require.Equal(t, &subscription.Push{ID: 2, App: "app"}, info.Push, "it is forgotten")
	log.fail = 1
	_, err = f.pushes.of(t.Context(), "app", 1)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	_, err = f.pushes.of(t.Context(), "app", 1)
	require.NoError(t, err)
	push, err := f.push(t.Context(), "app", 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, push.ID)
	require.Equal(t, map[int64]int{1: 2, 2: 1}, log.lookUps)
}

func TestURLEndpointID(t *testing.T) {
	id, address := urlEndpointID("https://example.com/hook?token=secret#there")
	require.Equal(t, "https://example.com/hook", address)
	require.Regexp(t, "^url-[0-9a-f]{16}$", id)
	for url, same := range map[string]bool{
		"https://example.com/hook":           true,
		"https://example.com/hook#?":         true,
		"https://example.com/hook?token=one": true,
		"https://example.com/hook/":          false,
		"http://example.com/hook":            false,
	} {
		other, _ := urlEndpointID(url)
		require.Equal(t, same, other == id, url)
	}
}
