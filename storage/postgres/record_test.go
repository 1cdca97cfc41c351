package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/postgres"
)

const recordApp = "app"

var recordTime = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// announced is a push in chunks of which none was sent yet; without recipients, nobody is listed.
func announced(t *testing.T, store storage.Store, id int64, recipients, chunk int) {
	t.Helper()
	d := storage.PushDraft{Push: storage.Push{ID: id, App: recordApp, Listed: recipients > 0, CreateTime: recordTime, TimeToLive: time.Hour}}
	if recipients == 0 {
		d.Dispatches = []storage.DispatchDraft{{DueTime: recordTime}}
	}
	for i := range recipients {
		d.Recipients = append(d.Recipients, deviceID(i))
		if i%chunk == 0 {
			d.Dispatches = append(d.Dispatches, storage.DispatchDraft{Chunk: i / chunk, DueTime: recordTime})
		}
		last := &d.Dispatches[len(d.Dispatches)-1]
		last.Recipients = append(last.Recipients, uint32(i))
	}
	_, _, err := store.CreatePush(t.Context(), d)
	require.NoError(t, err)
}

func deviceID(i int) string { return fmt.Sprintf("device-%d", i) }

func upstreamOf(push int64, chunk int) string { return fmt.Sprintf("up-%d-%d", push, chunk) }

func claimAll(t *testing.T, store storage.Store) []storage.Claim {
	t.Helper()
	claims, err := store.ClaimDispatches(t.Context(), storage.ClaimRequest{App: recordApp, Now: recordTime, Lease: time.Hour})
	require.NoError(t, err)
	return claims
}

func sentAs(c storage.Claim) storage.DispatchResult {
	return storage.DispatchResult{ID: c.Dispatch.ID, Attempt: c.Dispatch.Attempt, State: storage.DispatchSent, Time: recordTime,
		UpstreamID: upstreamOf(c.Push.ID, c.Dispatch.Chunk)}
}

// sendEverything sends what is due and what that unblocks.
func sendEverything(t *testing.T, store storage.Store) {
	t.Helper()
	for claims := claimAll(t, store); len(claims) > 0; claims = claimAll(t, store) {
		for _, c := range claims {
			_, err := store.FinishDispatch(t.Context(), sentAs(c))
			require.NoError(t, err)
		}
	}
}

func reported(upstreamID, device string, m storage.Milestone) storage.Callback {
	return storage.Callback{UpstreamID: upstreamID, RegistrationID: device, Milestone: m, Status: m.String(), Time: recordTime, Channel: "FCM"}
}

func record(t *testing.T, store storage.Store, rows ...storage.Callback) storage.CallbackSummary {
	t.Helper()
	summary, err := store.RecordCallbacks(t.Context(), recordApp, recordTime, rows)
	require.NoError(t, err)
	return summary
}

func deadlocks(t *testing.T, dsn string) (n int) {
	t.Helper()
	require.NoError(t, admin(t, dsn).QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n))
	return n
}

// TestCallbacksMeetTheirUpstreamID has callbacks come to one node while another learns what they are about.
func TestCallbacksMeetTheirUpstreamID(t *testing.T) {
	t.Parallel()
	const dispatches, adopted = 2000, 1000
	dsn := emptyDatabase(t)
	nodes := openAll(t, dsn, 2)
	announced(t, nodes[0], 1, dispatches+1, 1)
	first := claimAll(t, nodes[0])
	require.Len(t, first, 1)
	_, err := nodes[0].FinishDispatch(t.Context(), sentAs(first[0]))
	require.NoError(t, err)
	claims := claimAll(t, nodes[0])
	require.Len(t, claims, dispatches)

	var both errgroup.Group
	both.SetLimit(8)
	race := func(upstreamID, device string, learn func() error) {
		both.Go(func() error {
			var pair errgroup.Group
			pair.Go(func() error {
				_, err := nodes[1].RecordCallbacks(t.Context(), recordApp, recordTime, []storage.Callback{reported(upstreamID, device, storage.Clicked)})
				return err
			})
			pair.Go(learn)
			return pair.Wait()
		})
	}
	for _, c := range claims {
		race(upstreamOf(1, c.Dispatch.Chunk), deviceID(c.Dispatch.Chunk), func() error {
			_, err := nodes[0].FinishDispatch(t.Context(), sentAs(c))
			return err
		})
	}
	for i := range int64(adopted) {
		race(upstreamOf(i+2, 0), deviceID(0), func() error {
			_, _, err := nodes[0].AdoptMessage(t.Context(), storage.PushDraft{Push: storage.Push{ID: i + 2, App: recordApp, External: true,
				CreateTime: recordTime, FirstSentTime: recordTime}}, upstreamOf(i+2, 0))
			return err
		})
	}
	require.NoError(t, both.Wait())
	held, err := nodes[0].ListHeldCallbacks(t.Context(), storage.HeldQuery{App: recordApp})
	require.NoError(t, err)
	require.Empty(t, held)
	last, err := nodes[0].LastSequence(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(dispatches+adopted), last)
	report, err := nodes[0].Report(t.Context(), recordApp, 1)
	require.NoError(t, err)
	require.Equal(t, dispatches, report.Total.Clicked)
}

// chorus is nodes that report the same of the same people.
type chorus struct {
	*testing.T
	pushes, devices int
	fresh           atomic.Int64
}

func (c *chorus) sing(store storage.Store, random *rand.Rand) error {
	for range 30 {
		var rows []storage.Callback
		for range 1 + random.IntN(60) {
			push := 1 + random.IntN(c.pushes)
			row := reported(upstreamOf(int64(push), 0), deviceID(random.IntN(c.devices)), storage.Milestone(random.IntN(6)))
			row.Status = fmt.Sprint(row.Milestone, random.IntN(2))
			if row.Milestone == storage.Failed && random.IntN(4) == 0 {
				row.Invalidates = "UNREGISTERED"
			}
			row.Time = recordTime.Add(time.Duration(random.IntN(100)) * time.Second)
			rows = append(rows, row)
		}
		summary, err := store.RecordCallbacks(c.Context(), recordApp, recordTime.Add(time.Duration(random.IntN(48))*time.Hour), rows)
		if err != nil {
			return err
		}
		c.fresh.Add(int64(summary.New))
	}
	return nil
}

// follow reads the log as it grows, and expects to miss nothing.
func (c *chorus) follow(ctx context.Context, store storage.Store) ([]storage.Event, error) {
	var all []storage.Event
	for ended := false; ; {
		after := int64(0)
		if len(all) > 0 {
			after = all[len(all)-1].Sequence
		}
		some, err := store.ListEvents(c.Context(), storage.EventQuery{App: recordApp, After: after, Limit: 100})
		all = append(all, some...)
		if err != nil || len(some) == 0 && ended {
			return all, err
		}
		ended = len(some) == 0 && ctx.Err() != nil
	}
}

// TestNodesThatReportTheSameCountItOnce stresses what many nodes lock at once: no deadlock, nothing twice, nothing missed.
func TestNodesThatReportTheSameCountItOnce(t *testing.T) {
	t.Parallel()
	c := &chorus{T: t, pushes: 4, devices: 40}
	dsn := emptyDatabase(t)
	nodes := openAll(t, dsn, 3)
	for id := range int64(c.pushes) {
		announced(t, nodes[0], id+1, int(id%2)*c.devices, c.devices)
	}
	sendEverything(t, nodes[0])
	singing, ended := context.WithCancel(t.Context())
	var singers, readers errgroup.Group
	var logs [2][]storage.Event
	for i := range logs {
		readers.Go(func() (err error) {
			logs[i], err = c.follow(singing, nodes[i])
			return err
		})
	}
	for i := range 12 {
		singers.Go(func() error { return c.sing(nodes[i%len(nodes)], rand.New(rand.NewPCG(7, uint64(i)))) })
	}
	err := singers.Wait()
	ended()
	require.NoError(t, err)
	require.NoError(t, readers.Wait())
	require.Zero(t, deadlocks(t, dsn))

	require.Equal(t, logs[0], logs[1])
	require.Len(t, logs[0], int(c.fresh.Load()))
	seen := map[string]bool{}
	totals := map[int64]map[string]storage.Progress{}
	for i, e := range logs[0] {
		require.Equal(t, int64(i+1), e.Sequence)
		key := fmt.Sprint(e.PushID, " ", e.RegistrationID, " ", e.Milestone)
		if e.Milestone == storage.Failed || e.Milestone == storage.MilestoneUnknown {
			key += e.Status
		}
		require.False(t, seen[key], key)
		seen[key] = true
		if totals[e.PushID] == nil {
			totals[e.PushID] = map[string]storage.Progress{}
		}
		totals[e.PushID][e.RegistrationID] = totals[e.PushID][e.RegistrationID].With(0, e.Milestone)
	}
	for push, people := range totals {
		want := storage.Counts{Targets: c.devices}
		for _, p := range people {
			for m := storage.Sent; m <= storage.Failed; m++ {
				if p.At(0).Has(m) {
					want.Add(m, 1)
				}
			}
		}
		report, err := nodes[1].Report(t.Context(), recordApp, push)
		require.NoError(t, err)
		require.Equal(t, want, report.Total)
		events, err := nodes[1].ListEvents(t.Context(), storage.EventQuery{PushID: push, RegistrationID: deviceID(3)})
		require.NoError(t, err)
		for _, e := range events {
			require.Equal(t, logs[0][e.Sequence-1], e)
		}
	}
}

// TestDeathAndLifeMeet has one node learn that devices are dead while another learns that they live, or lived before.
func TestDeathAndLifeMeet(t *testing.T) {
	t.Parallel()
	const devices = 600
	nodes := openAll(t, emptyDatabase(t), 2)
	announced(t, nodes[0], 1, devices, devices)
	announced(t, nodes[0], 2, devices, devices)
	sendEverything(t, nodes[0])
	var both errgroup.Group
	both.SetLimit(16)
	for i := range devices {
		death, life := reported(upstreamOf(1, 0), deviceID(i), storage.Failed), reported(upstreamOf(2, 0), deviceID(i), storage.Delivered)
		death.Invalidates = "UNREGISTERED"
		life.Time = recordTime.Add(time.Duration(i%2*2-1) * time.Second) // of every other device, it is after its death
		for n, row := range []storage.Callback{death, life} {
			both.Go(func() error {
				_, err := nodes[n].RecordCallbacks(t.Context(), recordApp, recordTime, []storage.Callback{row})
				return err
			})
		}
	}
	require.NoError(t, both.Wait())
	var want, all []string
	for i := range devices {
		all = append(all, deviceID(i))
		if i%2 == 0 {
			want = append(want, deviceID(i))
		}
	}
	invalid, err := nodes[1].InvalidDevices(t.Context(), recordApp, all)
	require.NoError(t, err)
	require.Equal(t, want, invalid)
}

// TestTextsThatPostgreSQLRefusesAreStored checks that no text makes a batch fail for good.
func TestTextsThatPostgreSQLRefusesAreStored(t *testing.T) {
	t.Parallel()
	store := openAll(t, emptyDatabase(t), 1)[0]
	announced(t, store, 1, 0, 1)
	sendEverything(t, store)
	long := strings.Repeat("long \xff\x00", 2000)
	for i, text := range []string{"a\x00b", "\xff\xfe", long, long + "er"} {
		row := storage.Callback{UpstreamID: upstreamOf(1, 0), RegistrationID: text, Milestone: storage.Failed, Status: text, Time: recordTime,
			ErrorMessage: text, Channel: text, LossSource: text, Invalidates: text, ErrorCode: 1 << 40}
		unknown := row
		unknown.Milestone, unknown.Status, unknown.Raw = storage.MilestoneUnknown, "?"+text, []byte(text)
		stray := unknown
		stray.UpstreamID = text
		require.Equal(t, storage.CallbackSummary{New: 2, Held: 1}, record(t, store, row, unknown, stray), i)
		require.Equal(t, storage.CallbackSummary{Repeated: 2, Held: 1}, record(t, store, row, unknown, stray), i)
		events, err := store.ListEvents(t.Context(), storage.EventQuery{RegistrationID: text})
		require.NoError(t, err)
		require.Len(t, events, 2)
		invalid, err := store.InvalidDevices(t.Context(), recordApp, []string{text})
		require.NoError(t, err)
		require.Len(t, invalid, 1)
	}
	held, err := store.ListHeldCallbacks(t.Context(), storage.HeldQuery{App: recordApp})
	require.NoError(t, err)
	require.Len(t, held, 4)
}

// TestABatchThatFailsHarmsNoOther sends batches of an app whose name can't be stored among those of another.
func TestABatchThatFailsHarmsNoOther(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	announced(t, store, 1, 50, 50)
	sendEverything(t, store)
	unlock := lockLog(t, dsn)
	var fresh, failed atomic.Int64
	var callers sync.WaitGroup
	for i := range 50 {
		app := recordApp
		if i%5 == 0 {
			app = "no\x00app"
		}
		callers.Go(func() {
			summary, err := store.RecordCallbacks(t.Context(), app, recordTime, []storage.Callback{reported(upstreamOf(1, 0), deviceID(i), storage.Sent)})
			if err != nil {
				failed.Add(1)
			}
			fresh.Add(int64(summary.New))
		})
	}
	unlock()
	callers.Wait()
	require.Equal(t, []int64{40, 10}, []int64{fresh.Load(), failed.Load()})
}

// lockLog keeps everybody from appending to the log until the returned function is called.
func lockLog(t *testing.T, dsn string) (unlock func()) {
	t.Helper()
	conn := admin(t, dsn)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM log_head FOR UPDATE`)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(context.Background())) }
}

// TestMoreCallbacksThanMayWaitAreRefused fills the queue while nothing can be stored.
func TestMoreCallbacksThanMayWaitAreRefused(t *testing.T) {
	t.Parallel()
	dsn := emptyDatabase(t)
	store := openAll(t, dsn, 1)[0]
	announced(t, store, 1, 1, 1)
	sendEverything(t, store)
	unlock := lockLog(t, dsn)
	rows := make([]storage.Callback, 20_000)
	for i := range rows {
		rows[i] = reported(upstreamOf(1, 0), deviceID(0), storage.Sent)
	}
	var waiting errgroup.Group
	ctx, cancel := context.WithCancel(t.Context())
	var refused atomic.Int64
	for range 20 {
		waiting.Go(func() error {
			_, err := store.RecordCallbacks(ctx, recordApp, recordTime, rows)
			if err != nil {
				refused.Add(1)
			}
			return err
		})
	}
	require.Eventually(t, func() bool { return refused.Load() > 0 }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, waitFor(t, store, rows), storage.ErrUnavailable)
	cancel() // who is in the queue leaves at once
	unlock()
	require.Error(t, waiting.Wait())
	summary := record(t, store, rows[:1]...)
	require.Equal(t, 1, summary.New+summary.Repeated)
}

func waitFor(t *testing.T, store *postgres.Store, rows []storage.Callback) error {
	t.Helper()
	_, err := store.RecordCallbacks(t.Context(), recordApp, recordTime, rows)
	return err
}

// TestHeldCallbacksAreBounded fills what may be held of an app, by rows of unknown messages and of unknown recipients.
func TestHeldCallbacksAreBounded(t *testing.T) {
	t.Parallel()
	store, err := postgres.Open(t.Context(), postgres.Options{DSN: emptyDatabase(t), MaxHeld: 5})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	announced(t, store, 1, 1, 1)
	sendEverything(t, store)
	var strays, strangers []storage.Callback
	for i := range 8 {
		strays = append(strays, reported("unknown", deviceID(i), storage.Sent))
		strangers = append(strangers, reported(upstreamOf(1, 0), deviceID(i+1), storage.Sent))
	}
	known := reported(upstreamOf(1, 0), deviceID(0), storage.Sent)
	summary, err := store.RecordCallbacks(t.Context(), recordApp, recordTime, append(strays, known))
	require.ErrorIs(t, err, storage.ErrHeldFull)
	require.Equal(t, storage.CallbackSummary{New: 1, Held: 5, Dropped: 3}, summary)
	require.Equal(t, storage.CallbackSummary{Repeated: 1, Held: 5, Dropped: 3}, record(t, store, append(strangers, known)...))
	held, err := store.ListHeldCallbacks(t.Context(), storage.HeldQuery{App: recordApp})
	require.NoError(t, err)
	require.Len(t, held, 10)
	summary, err = store.RecordCallbacks(t.Context(), "another", recordTime, strays[:1])
	require.NoError(t, err)
	require.Equal(t, storage.CallbackSummary{Held: 1}, summary)
}

// TestTheLogIsReadAcrossDays stores events of several days, not in their order, from nodes that make the same partitions at once; one of
// them goes meanwhile.
func TestTheLogIsReadAcrossDays(t *testing.T) {
	t.Parallel()
	const devices = 64
	dsn := emptyDatabase(t)
	nodes := openAll(t, dsn, 4)
	announced(t, nodes[0], 1, devices, devices)
	announced(t, nodes[0], 2, devices, devices)
	sendEverything(t, nodes[0])
	var together errgroup.Group
	for i := range devices {
		together.Go(func() error {
			_, err := nodes[i%4].RecordCallbacks(t.Context(), recordApp, recordTime.AddDate(0, 0, i/4%8),
				[]storage.Callback{reported(upstreamOf(int64(1+i%2), 0), deviceID(i), storage.Sent)})
			return err
		})
	}
	require.NoError(t, together.Wait())
	for _, q := range []storage.EventQuery{{}, {App: recordApp}, {Limit: 7}, {App: recordApp, Limit: 7}} {
		var all []storage.Event
		for some, err := nodes[0].ListEvents(t.Context(), q); len(some) > 0; some, err = nodes[0].ListEvents(t.Context(), q) {
			require.NoError(t, err)
			all = append(all, some...)
			q.After = all[len(all)-1].Sequence
		}
		require.Len(t, all, devices)
		for i, e := range all {
			require.Equal(t, int64(i+1), e.Sequence)
		}
	}
	events, err := nodes[0].ListEvents(t.Context(), storage.EventQuery{PushID: 2})
	require.NoError(t, err)
	require.Len(t, events, devices/2)
	runs, err := nodes[0].ListEventRuns(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Equal(t, int64(devices), runs[len(runs)-1].Last)

	_, err = admin(t, dsn).Exec(t.Context(), fmt.Sprintf(`DROP TABLE segment_%d`, recordTime.Unix()/86400))
	require.NoError(t, err)
	for _, node := range nodes {
		_, err = node.RecordCallbacks(t.Context(), recordApp, recordTime, []storage.Callback{reported(upstreamOf(1, 0), deviceID(1), storage.Clicked)})
		require.NoError(t, err)
	}
	last, err := nodes[0].ListEvents(t.Context(), storage.EventQuery{After: devices})
	require.NoError(t, err)
	require.Len(t, last, 1)
}
